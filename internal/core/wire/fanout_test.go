package wire

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestFanOut: head and tail are the frame that would have been encoded for the
// subscriber alone, whatever the id, and also when the message had one.
func TestFanOut(t *testing.T) {
	r := random{rand.New(rand.NewPCG(seed, 1))}
	for range 200 {
		query, search, hybrid := new(QueryUpdate), new(SearchUpdate), new(HybridSearchUpdate)
		for _, c := range []struct {
			m  Subscribed
			id *string
		}{{query, &query.QueryID}, {search, &search.SubscriptionID}, {hybrid, &hybrid.SubscriptionID}} {
			fillMessage(r, c.m)
			shared := Share(c.m)
			for _, id := range []string{"", "q", "51975db3-9208-4584-9134-d29cdd27c16e", strings.Repeat("x", 300)} {
				*c.id = id
				want := Append(nil, c.m)
				got := append(shared.AppendHead(nil, id), shared.Tail...)
				if !bytes.Equal(got, want) {
					t.Fatalf("%v for %q:\n\t%q\nwant\n\t%q", c.m.Type(), id, got, want)
				}
			}
		}
	}
}

// TestQueryUpdateOrder: the type comes first, the subscriber's id next.
func TestQueryUpdateOrder(t *testing.T) {
	got := Append(nil, &QueryUpdate{QueryID: "q", Key: "k", ChangeType: ChangeLeave})
	want := "\x82\xa4type\xacQUERY_UPDATE\xa7payload\x84\xa7queryId\xa1q\xa3key\xa1k\xa5value\xc0\xaachangeType\xa5LEAVE"
	if string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}
