package app

import (
	"fmt"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// request is a well-formed message of a client and what it is answered with.
type request struct {
	message wire.Message
	answer  string // what is sent at once, by peer.Names
	check   func(wire.Message) error
}

// notHere expects a refusal in the error field of a typed response.
func notHere[T wire.Message](text func(T) (id, err string)) func(wire.Message) error {
	return func(m wire.Message) error {
		answer, ok := m.(T)
		if !ok {
			return fmt.Errorf("the answer is %s", m.Type())
		}
		if id, err := text(answer); id != "r" || len(err) < 20 {
			return fmt.Errorf("it is the answer to %q and says %q", id, err)
		}
		return nil
	}
}

// notImplemented expects an ERROR 501 that names the message and its id.
func notImplemented(of wire.Type, id string) func(wire.Message) error {
	return func(m wire.Message) error {
		e, ok := m.(*wire.Error)
		if !ok {
			return fmt.Errorf("the answer is %s", m.Type())
		}
		d := details(e)
		if e.Code != 501 || d["name"] != "NOT_IMPLEMENTED" || d["type"] != of.String() || d["request"] != id {
			return fmt.Errorf("it says %d %v", e.Code, d)
		}
		return nil
	}
}

// requests has every message that a client can send, well formed.
func requests() []request {
	hybrid := wire.HybridQuery{MapName: "m", QueryText: "x"}
	return []request{
		{message: &wire.Auth{Token: "any"}, answer: "[AUTH_ACK]"},
		{message: &wire.DeviceHello{}, answer: "[]"}, // bound by AUTH already
		{message: &wire.Ping{Timestamp: 77}, answer: "[PONG]"},
		{message: &wire.Batch{Data: []byte{0, 0, 0, 0}}, answer: "[]"},
		{message: peer.Batch(peer.Put("1", "m", "k", 1, at(1))), answer: "[OP_ACK]"},
		{message: &wire.ClientOpMessage{ClientOp: peer.Put("2", "m", "k", 2, at(2))}, answer: "[OP_ACK]"},
		{message: peer.Batch(), answer: "[]"}, // nothing is acknowledged
		{message: &wire.SyncInit{MapName: "m"}, answer: "[SYNC_RESP_ROOT]"},
		{message: &wire.MerkleReqBucket{MapName: "m"}, answer: "[SYNC_RESP_BUCKETS]"},
		{message: &wire.MerkleReqBucket{MapName: "m", Path: "0a3"}, answer: "[SYNC_RESP_LEAF]"},
		{message: &wire.ORMapSyncInit{MapName: "or"}, answer: "[ORMAP_SYNC_RESP_ROOT]"},
		{message: &wire.ORMapMerkleReqBucket{MapName: "or"}, answer: "[ORMAP_SYNC_RESP_BUCKETS]"},
		{message: &wire.ORMapMerkleReqBucket{MapName: "or", Path: "fff"}, answer: "[ORMAP_SYNC_RESP_LEAF]"},
		{message: &wire.ORMapDiffRequest{MapName: "or", Keys: []string{"k"}}, answer: "[ORMAP_DIFF_RESPONSE]"},
		{message: &wire.ORMapPushDiff{MapName: "or"}, answer: "[]"},
		{message: &wire.ClientApplyAck{Cursor: 1}, answer: "[]"},
		{message: &wire.QuerySub{QueryID: "q", MapName: "q"}, answer: "[QUERY_RESP]"},
		{message: &wire.QuerySyncInit{QueryID: "q"}, answer: "[]"},
		{message: &wire.QueryUnsub{QueryID: "q"}, answer: "[]"},
		{message: &wire.QueryUnsub{QueryID: "unknown"}, answer: "[]"},
		{message: &wire.HybridQuerySubscribe{SubscriptionID: "h", MapName: "m"}, answer: "[]"},
		{message: &wire.HybridQueryUnsubscribe{SubscriptionID: "h"}, answer: "[]"},
		{message: &wire.CounterRequest{Name: "c"}, answer: "[COUNTER_RESPONSE]"},
		{message: &wire.CounterSync{Name: "c"}, answer: "[COUNTER_UPDATE]"},
		{message: &wire.TopicSub{Topic: "t"}, answer: "[]"},
		{message: &wire.TopicPub{Topic: "t"}, answer: "[]"},
		{message: &wire.TopicUnsub{Topic: "t"}, answer: "[]"},
		{message: &wire.PartitionMapRequest{}, answer: "[PARTITION_MAP]"},
		{message: &wire.PartitionMapRequest{CurrentVersion: 1}, answer: "[]"},

		{message: &wire.LockRequest{RequestID: "r", Name: "l"}, answer: "[ERROR]", check: notImplemented(wire.TypeLockRequest, "r")},
		{message: &wire.LockRelease{RequestID: "r", Name: "l"}, answer: "[ERROR]", check: notImplemented(wire.TypeLockRelease, "r")},
		{message: &wire.JournalSubscribe{RequestID: "r"}, answer: "[ERROR]", check: notImplemented(wire.TypeJournalSubscribe, "r")},
		{message: &wire.JournalUnsubscribe{SubscriptionID: "r"}, answer: "[]"},
		{message: &wire.JournalRead{RequestID: "r", FromSequence: "0"}, answer: "[ERROR]", check: notImplemented(wire.TypeJournalRead, "r")},
		{
			message: &wire.Search{RequestID: "r", MapName: "m"}, answer: "[SEARCH_RESP]",
			check: notHere(func(m *wire.SearchResp) (string, string) { return m.RequestID, m.Error }),
		},
		{
			message: &wire.SearchSub{SubscriptionID: "r", MapName: "m"}, answer: "[SEARCH_RESP]",
			check: notHere(func(m *wire.SearchResp) (string, string) { return m.RequestID, m.Error }),
		},
		{message: &wire.SearchUnsub{SubscriptionID: "r"}, answer: "[]"},
		{
			message: &wire.HybridSearch{RequestID: "r", HybridQuery: hybrid}, answer: "[HYBRID_SEARCH_RESP]",
			check: notHere(func(m *wire.HybridSearchResp) (string, string) { return m.RequestID, m.Error }),
		},
		{
			message: &wire.HybridSearchSub{SubscriptionID: "r", HybridQuery: hybrid}, answer: "[HYBRID_SEARCH_RESP]",
			check: notHere(func(m *wire.HybridSearchResp) (string, string) { return m.RequestID, m.Error }),
		},
		{message: &wire.HybridSearchUnsub{SubscriptionID: "r"}, answer: "[]"},
		{
			message: &wire.VectorSearch{ID: "r", MapName: "m", QueryVector: []byte{0, 0, 0, 0}}, answer: "[VECTOR_SEARCH_RESP]",
			check: notHere(func(m *wire.VectorSearchResp) (string, string) { return m.ID, m.Error }),
		},
		{
			message: &wire.SQLQuery{QueryID: "r", SQL: "SELECT 1"}, answer: "[SQL_QUERY_RESP]",
			check: notHere(func(m *wire.SQLQueryResp) (string, string) {
				if m.Code != "FEATURE_DISABLED" {
					return m.Code, ""
				}
				return m.QueryID, m.Error
			}),
		},
		{
			message: &wire.EntryProcess{RequestID: "r", MapName: "m", Key: "k"}, answer: "[ENTRY_PROCESS_RESPONSE]",
			check: notHere(func(m *wire.EntryProcessResponse) (string, string) {
				if m.Success {
					return "", ""
				}
				return m.RequestID, m.Error
			}),
		},
		{
			message: &wire.EntryProcessBatch{RequestID: "r", MapName: "m", Keys: []string{"k"}}, answer: "[ENTRY_PROCESS_BATCH_RESPONSE]",
			check: notHere(func(m *wire.EntryProcessBatchResponse) (string, string) {
				if len(m.Results) != 1 || m.Results[0].Key != "k" || m.Results[0].Result.Success {
					return "", ""
				}
				return m.RequestID, m.Results[0].Result.Error
			}),
		},
		{
			message: &wire.RegisterResolver{RequestID: "r", MapName: "m", Resolver: wire.Resolver{Name: "x"}}, answer: "[REGISTER_RESOLVER_RESPONSE]",
			check: notHere(func(m *wire.RegisterResolverResponse) (string, string) {
				if m.Success {
					return "", ""
				}
				return m.RequestID, m.Error
			}),
		},
		{
			message: &wire.UnregisterResolver{RequestID: "r", MapName: "m", ResolverName: "x"}, answer: "[UNREGISTER_RESOLVER_RESPONSE]",
			check: notHere(func(m *wire.UnregisterResolverResponse) (string, string) {
				if m.Success {
					return "", ""
				}
				return m.RequestID, m.Error
			}),
		},
		{message: &wire.ListResolvers{RequestID: "r"}, answer: "[LIST_RESOLVERS_RESPONSE]"},
	}
}

// TestEveryMessageHasItsAnswer sends each message that a client can send: it
// gets its typed answer, an ERROR that names it, or nothing where the protocol
// has no answer. What the server does not have is never answered with what a
// client takes for success.
func TestEveryMessageHasItsAnswer(t *testing.T) {
	s := startServer(t)
	p := s.dial()
	asked := map[wire.Type]bool{}
	for _, r := range requests() {
		typ := r.message.Type()
		asked[typ] = true
		p.Send(r.message)
		// An answer may take its way through a lane, which a PONG does not.
		var got []wire.Message
		if r.answer != "[]" {
			got = append(got, p.Next())
		}
		got = append(got, p.UntilPong()...)
		if peer.Names(got) != r.answer {
			t.Errorf("%s is answered with %s, expected %s", typ, peer.Names(got), r.answer)
			continue
		}
		if r.check != nil {
			if err := r.check(got[0]); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
		}
	}
	for typ := wire.Type(1); int(typ) <= wire.Types; typ++ {
		if d := typ.Direction(); (d == wire.ClientToServer || d == wire.Both) && !asked[typ] {
			t.Errorf("the table has no %s", typ)
		}
	}
}
