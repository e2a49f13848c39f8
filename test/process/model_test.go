package process

import (
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/test/peer"
)

// model is what the writers have sent and what the server has told: that an
// operation was acknowledged, or that a change was seen. What was told has to be
// there after every restart, and nothing may be there that was not sent.
type model struct {
	mu       sync.Mutex
	lww      map[place]*register
	or       map[place]map[string]*element // by tag
	counters map[string]map[string]*count  // by name and node
	acked    int
}

// place is a key of a map.
type place struct{ mapName, key string }

// register is a key of an LWW map.
type register struct {
	sent map[hlc.Timestamp]bool // whether the operation was a removal
	told hlc.Timestamp          // the latest that was acknowledged or seen
}

// element is one tag of an OR map.
type element struct {
	ts                                        hlc.Timestamp
	addSent, addAcked, removeSent, removeTold bool
}

// count is one node's share of a counter.
type count struct{ sentPos, sentNeg, toldPos, toldNeg float64 }

func newModel() *model {
	return &model{
		lww: map[place]*register{}, or: map[place]map[string]*element{}, counters: map[string]map[string]*count{},
	}
}

// sent notes operations before they are sent for the first time.
func (m *model) sent(ops []wire.ClientOp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range ops {
		op := &ops[i]
		at := place{op.MapName, op.Key}
		switch op.Kind() {
		case wire.OpORAdd:
			e := m.element(at, op.ORRecord.Value.Tag)
			e.addSent, e.ts = true, op.ORRecord.Value.Timestamp
		case wire.OpORRemove:
			m.element(at, op.ORTag.Value).removeSent = true
		default:
			r := m.lww[at]
			if r == nil {
				r = &register{sent: map[hlc.Timestamp]bool{}}
				m.lww[at] = r
			}
			r.sent[op.Record.Value.Timestamp] = op.Kind() == wire.OpRemove
		}
	}
}

func (m *model) element(at place, tag string) *element {
	tags := m.or[at]
	if tags == nil {
		tags = map[string]*element{}
		m.or[at] = tags
	}
	if tags[tag] == nil {
		tags[tag] = &element{}
	}
	return tags[tag]
}

// acknowledged notes operations that an OP_ACK has covered.
func (m *model) acknowledged(ops []wire.ClientOp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked += len(ops)
	for i := range ops {
		op := &ops[i]
		at := place{op.MapName, op.Key}
		switch op.Kind() {
		case wire.OpORAdd:
			m.element(at, op.ORRecord.Value.Tag).addAcked = true
		case wire.OpORRemove:
			m.element(at, op.ORTag.Value).removeTold = true
		default:
			m.lww[at].tell(op.Record.Value.Timestamp)
		}
	}
}

func (r *register) tell(ts hlc.Timestamp) {
	if ts.After(r.told) {
		r.told = ts
	}
}

// seen notes what a subscriber was told of an LWW record.
func (m *model) seen(mapName, key string, ts hlc.Timestamp) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.lww[place{mapName, key}]
	if r == nil {
		return fmt.Errorf("%s/%s was shown and never written", mapName, key)
	}
	if _, ok := r.sent[ts]; !ok {
		return fmt.Errorf("%s/%s was shown with %v, which nobody has written", mapName, key, ts)
	}
	r.tell(ts)
	return nil
}

// counting notes a counter's state before it is sent.
func (m *model) counting(name, node string, pos, neg float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	nodes := m.counters[name]
	if nodes == nil {
		nodes = map[string]*count{}
		m.counters[name] = nodes
	}
	if nodes[node] == nil {
		nodes[node] = &count{}
	}
	nodes[node].sentPos, nodes[node].sentNeg = pos, neg
}

// counted notes the state of a counter that the server has told, whoever made
// it, and reports whether it holds everything that node has sent.
func (m *model) counted(name, node string, st wire.CounterState) (whole bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, c := range m.counters[name] {
		pos, _ := st.Positive.Get(n)
		neg, _ := st.Negative.Get(n)
		if pos > c.sentPos || neg > c.sentNeg {
			return false, fmt.Errorf("counter %s has %v/%v of %s, who has sent %v/%v", name, pos, neg, n, c.sentPos, c.sentNeg)
		}
		c.toldPos, c.toldNeg = max(c.toldPos, pos), max(c.toldNeg, neg)
	}
	own := m.counters[name][node]
	return own == nil || own.toldPos == own.sentPos && own.toldNeg == own.sentNeg, nil
}

// contents is the value of the record that was written to key at ts: what is
// written need not be remembered to be compared.
func contents(key string, ts hlc.Timestamp) value.Raw {
	h := fnv.New32a()
	fmt.Fprint(h, key, ts)
	sum := h.Sum32()
	return peer.Value(map[string]any{
		"at":  ts.String(),
		"pad": strings.Repeat(string(rune('a'+sum%26)), int(sum/26%2000)),
	})
}
