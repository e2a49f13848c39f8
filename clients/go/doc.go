// Package topgun is the Go client of TopGun.
//
// A client holds replicas of the maps that it opens. Reads and writes touch the
// replica and return at once, connected or not; the client sends what was
// written, merges what others write, and after every interruption brings replica
// and server together again until their Merkle roots agree.
//
//	c, err := topgun.Connect(ctx, "ws://localhost:8080/ws")
//	todos := topgun.MapOf[Todo](c, "todos")
//	w, err := todos.Set("milk", Todo{Title: "Buy milk"})
//	level, err := w.Wait(ctx) // on disk at the server
//
// # What there is
//
//   - MapOf: maps in which the latest write wins; live queries over them.
//   - FieldOf and Where: queries that the compiler checks.
//   - ORMapOf: maps whose keys hold sets of values; concurrent adds and removes merge.
//   - CounterOf: counters that any number of clients count up and down.
//   - TopicOf: messages to whoever listens now, at most once, nothing stored.
//
// # Writes
//
// A write that returns no error is in the replica and in the queue of unsent
// operations. It leaves the queue when the server has acknowledged it or has
// refused it for good; in between it survives any number of connections, and
// being sent twice changes nothing. A refused write is taken back from the
// replica, and a *RejectedError that names it reaches the Write and the error
// handler. A full queue refuses further writes with ErrQueueFull. The queue is
// in memory: a process that ends takes what is in it along, see Client.Flush.
//
// # Values
//
// T is encoded as MessagePack: structs as maps of their exported fields, named
// as encoding/json names them (tags `json:"name,omitempty,omitzero"` and
// `json:"-"`), []byte as binary, types with MarshalText as their text, among
// them time.Time. T may be any, for documents without a type, or Raw, for the
// bytes as they are.
//
// # Concurrency
//
// Everything is safe for concurrent use. A Client runs one goroutine of its
// own, and five more while it is connected; Close returns when all have ended.
// One lock guards the state; nothing waits, and nothing of the application is
// called, while it is held. The application's code runs on the client's
// goroutines in two places: the error handler and the token provider.
package topgun
