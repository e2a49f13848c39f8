package sim

import (
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// counterName is the counter of every simulation.
const counterName = "hits"

// tally is the state of a PN counter as a client keeps it: by node, what was
// added and what was subtracted.
type tally map[string][2]float64

// count changes the client's counter. What is said of it is not acknowledged and
// not said again by itself: clients send their whole state with every change.
func (c *client) count(up bool) {
	mine := c.counter[c.name]
	if up {
		mine[0]++
	} else {
		mine[1]++
	}
	c.counter[c.name] = mine
	c.tellCounter()
}

func (c *client) tellCounter() {
	if !c.ready {
		return
	}
	m := &wire.CounterSync{Name: counterName}
	for node, v := range inOrder(c.counter) {
		m.State.Positive = append(m.State.Positive, wire.NumberEntry{Name: node, Value: v[0]})
		m.State.Negative = append(m.State.Negative, wire.NumberEntry{Name: node, Value: v[1]})
	}
	c.link.send(m)
}

// mergeCounter takes the greater of each number.
func (c *client) mergeCounter(s *wire.CounterState) {
	for i, part := range []wire.NumberMap{s.Positive, s.Negative} {
		for _, e := range part {
			v := c.counter[e.Name]
			v[i] = max(v[i], e.Value)
			c.counter[e.Name] = v
			// What the server has shown is durable (law 1).
			told := c.sim.counted[e.Name]
			told[i] = max(told[i], e.Value)
			c.sim.counted[e.Name] = told
		}
	}
}
