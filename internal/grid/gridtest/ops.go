package gridtest

import (
	"testing"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/hlc"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/grid/engine"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// author makes the changes of the operations below.
var author = &change.Author{Origin: change.OriginSession, Principal: "test"}

// Put writes v under a key; a nil v removes the key.
func Put(mapName, key string, v value.Raw, ts hlc.Timestamp) records.Op {
	verb := change.Put
	if v == nil {
		verb = change.Remove
	}
	return records.Op{
		Verb: verb, Kind: change.KindLWW, Map: mapName, Key: key, Hash: hash.Key(key), Value: v, TS: ts, Author: author,
	}
}

// Add adds a record to a set; its tag is the timestamp.
func Add(mapName, key string, v value.Raw, ts hlc.Timestamp) records.Op {
	return records.Op{
		Verb: change.Add, Kind: change.KindOR, Map: mapName, Key: key, Hash: hash.Key(key),
		Value: v, TS: ts, Tag: ts.String(), Author: author,
	}
}

// Drop removes a tag from a set.
func Drop(mapName, key, tag string) records.Op {
	return records.Op{
		Verb: change.Drop, Kind: change.KindOR, Map: mapName, Key: key, Hash: hash.Key(key), Tag: tag, Author: author,
	}
}

// Int is a value.
func Int(n int) value.Raw { return value.AppendInt(nil, int64(n)) }

// At is a timestamp n milliseconds after Epoch.
func At(n int64, node string) hlc.Timestamp { return hlc.Timestamp{Millis: Epoch + n, Node: node} }

// Answer is what became of a batch.
type Answer struct {
	Done    int // how often the batch was answered
	Err     error
	Results []records.Result
}

// Do submits operations and returns where their answer will appear.
func (w *World) Do(until engine.Level, ops ...records.Op) *Answer {
	a := &Answer{}
	w.Engine.Do(&engine.Batch{Ops: ops, Until: until, Done: func(b *engine.Batch, err error) {
		a.Done++
		a.Err = err
		a.Results = append([]records.Result(nil), b.Results...)
	}})
	return a
}

// Write carries out operations to the end and fails the test if they cannot be.
func (w *World) Write(tb testing.TB, ops ...records.Op) []records.Result {
	tb.Helper()
	a := w.Do(engine.Durable, ops...)
	w.Settle()
	if a.Done != 1 || a.Err != nil {
		tb.Fatalf("the operations were answered %d times, with %v", a.Done, a.Err)
	}
	return a.Results
}

// Read returns the state of a key.
func (w *World) Read(tb testing.TB, mapName, key string) (state string, ok bool) {
	tb.Helper()
	answered := 0
	w.Engine.Get(mapName, key, func(got string, found bool, err error) {
		if err != nil {
			tb.Errorf("read %s/%s: %v", mapName, key, err)
		}
		state, ok = got, found
		answered++
	})
	w.Settle()
	if answered != 1 {
		tb.Fatalf("a read of %s/%s was answered %d times", mapName, key, answered)
	}
	return state, ok
}
