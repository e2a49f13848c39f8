package wire

import "github.com/topgunbuild/topgun-go/internal/core/value"

// FanOut is a message that goes to many subscribers and differs only in the id
// that each of them gave its subscription. Everything else is encoded once.
//
// The frame for a subscriber is AppendHead with its id, followed by Tail.
type FanOut struct {
	head []byte // up to the name of the id's field

	// Tail is what follows the id. It is shared between frames and never
	// modified.
	Tail []byte
}

// Subscribed is a message whose first payload field is the subscriber's id.
type Subscribed interface {
	Message
	subscription() (field, id string)
}

// Share encodes m for many subscribers; the id in m does not matter. Messages
// without such an id, as SERVER_EVENT, are the same for everybody and are encoded
// once with Append.
func Share(m Subscribed) FanOut {
	field, id := m.subscription()
	frame := m.AppendTo(nil)
	// {type: NAME, payload: {field: id, ...}} with one byte before each map
	// and each name.
	at := 1 + len("-type") + len("-"+m.Type().String()) + len("-payload") + 1 + len("-"+field)
	tail := at + len(value.AppendStr(nil, id))
	return FanOut{head: frame[:at:at], Tail: frame[tail:]}
}

// AppendHead appends the part of the frame that ends with the subscriber's id.
func (f FanOut) AppendHead(dst []byte, id string) []byte {
	return value.AppendStr(append(dst, f.head...), id)
}

func (m *QueryUpdate) subscription() (field, id string)  { return "queryId", m.QueryID }
func (m *QueryTotal) subscription() (field, id string)   { return "queryId", m.QueryID }
func (m *QueryResp) subscription() (field, id string)    { return "queryId", m.QueryID }
func (m *SearchUpdate) subscription() (field, id string) { return "subscriptionId", m.SubscriptionID }
func (m *HybridSearchUpdate) subscription() (field, id string) {
	return "subscriptionId", m.SubscriptionID
}
