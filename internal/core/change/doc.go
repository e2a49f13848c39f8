// Package change defines the change record: the one thing a partition's stream
// is made of, in memory and on disk.
//
// A record says what one key's state was and what it became, who did it and
// when it arrived. Everything behind the write path (the durable store, live
// queries, sync, later the journal, write-behind and time travel) is a reader
// of these records, so a record carries whatever a reader could need and a
// reader never has to ask the partition again.
//
// A batch of records is what one lane appends to the log as one frame; its
// bytes are described in docs/format/change.md. States are the encoded states
// of package crdt, carried unchanged.
package change
