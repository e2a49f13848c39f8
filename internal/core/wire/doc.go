// Package wire is the vocabulary of the protocol: every message as a Go struct,
// and the code that turns frames into messages and back.
//
// The structs, one file a family, are the only definition of the protocol.
// tools/wiregen reads them and writes the decoders and encoders beside them
// (*.gen.go) and the reference in docs/protocol.md. Change a struct, then run
//
//	go generate ./internal/core/wire
//
// A change of the schema also changes its fingerprint, and a test then asks for
// a new Version.
//
// # How a struct describes a message
//
// A directive in the struct's comment makes it a message:
//
//	//wire:message TYPE layout direction [optional-payload]
//
// layout is flat (fields beside "type"), payload (fields in a map named
// "payload") or body (no "type": an HTTP body); direction is c2s, s2c, s2s or
// both. A struct without the directive that a message uses is a nested object;
// an embedded struct gives its fields to the struct around it. Fields are
// described by their tag, `wire:"name,options"`:
//
//	omitempty   absent and nil decode as the zero value, which is not encoded
//	top         beside "type" although the layout is payload
//	key, text, token   which string limit applies; without one of them, names
//	ops         a list of operations or their results, with a limit of its own
//	map         a Raw that must be a map
//	tolerant    a problem with the field is kept in the struct's Invalid
//
// Opt fields are optional with a zero value of their own, Nullable tells nil
// from absent, everything else is required. A Raw that is required may be nil
// or absent on arrival and is always sent. Further directives:
//
//	//wire:tolerant    all fields are tolerant, and the object as a whole is
//	//wire:check       a method check(*decoder) runs after the fields were decoded
//	//wire:codec TEXT  the type reads and writes itself; TEXT is its form on the wire
//
// A string type with constants is a closed set of names.
//
// # Ownership
//
// A decoded message aliases its frame: its strings, byte slices and Raw values
// are views of it (made with unsafe.String). A frame is therefore never reused
// or modified after decoding, and whoever keeps a small part of a message for
// long clones it first.
//
// # What decoding accepts
//
// Numbers in any MessagePack form, whole floats as integers, maps of any width,
// unknown fields, nil for absent, byte fields as index maps, and "type" at any
// place. It refuses a field given twice, strings that are not UTF-8 or too
// long, lists that are too long, negative or fractional integers, numbers that
// are not finite, and unknown names in closed sets. Sizes are checked before
// anything is allocated for them; a frame nested deeper than value.MaxDepth is
// refused before that. Nothing here panics on any input.
//
// # What encoding emits
//
// Shortest integers, whole numbers as integers, binaries for bytes, and no nil
// except as a value that a user or a tombstone put there.
package wire

//go:generate go run ../../../tools/wiregen -root ../../..
