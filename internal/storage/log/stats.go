package log

import "time"

// Stats counts since Open, but for what says otherwise.
type Stats struct {
	Appends       uint64 // frames accepted
	AppendedBytes uint64 // of their payloads

	Frames       uint64        // made durable
	WrittenBytes uint64        // of the groups made durable, headers included
	Syncs        uint64        // groups made durable
	SyncTime     time.Duration // their writes and syncs; Options.OnSync has each

	Failures         uint64 // generations that have failed
	FailedRecoveries uint64
	LastError        error // why the log is failed now, or nil

	TornBytes int64 // cut off by Open

	LostConsumers uint64 // times that a consumer lost its place

	Segments      int   // now
	RetainedBytes int64 // now; see Retained
}

// Stats returns the counters of this moment.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.LastError = l.cause
	s.Segments = len(l.segments)
	s.RetainedBytes = l.retained.Load()
	return s
}
