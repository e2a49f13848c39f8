package engine

import "time"

// Memory says what the node's records take and what became of those that do not
// fit.
type Memory struct {
	// Bytes is the memory that records take, Budget what they may.
	Bytes, Budget int64

	// Records are in memory, those of Hollow without their states; Away are in the
	// store only.
	Records, Hollow, Away int64

	// Emptied and Evicted count the states and the records that were left to the
	// store, Avoided the operations on new keys that did not have to ask it.
	Emptied, Evicted, Avoided uint64

	// Loads counts the reads of the store for operations and scans, Rows the rows
	// that they brought, LoadFailures those that failed and LoadTime how long all
	// took.
	Loads, Rows, LoadFailures uint64
	LoadTime                  time.Duration
}

// Memory reports what records take. It is as of the last second or so.
func (e *Engine) Memory() Memory {
	m := Memory{
		Budget: int64(e.opt.MemoryBytes), Loads: e.loads.loads.Load(), Rows: e.loads.rows.Load(),
		LoadFailures: e.loads.failures.Load(), LoadTime: time.Duration(e.loads.nanos.Load()),
	}
	for _, s := range e.shared {
		m.Bytes += s.Stats.Bytes.Load()
		m.Records += s.Stats.Records.Load()
		m.Hollow += s.Stats.Hollow.Load()
		m.Away += s.Stats.Away.Load()
		m.Emptied += s.Stats.Emptied.Load()
		m.Evicted += s.Stats.Evicted.Load()
		m.Avoided += s.Stats.Avoided.Load()
	}
	return m
}
