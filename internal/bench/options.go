package bench

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Options say what to measure. The zero value of every field but Clock, Program
// and Scenario means its default.
type Options struct {
	// Scenario is write, query, fanout, sync, idle or memory.
	Scenario string

	// Connections is how many clients there are: writers in write, subscribers in
	// fanout, idle clients in idle. Default 50.
	Connections int

	// Batch is the operations in one frame. Default 10.
	Batch int

	// Window is the frames of a connection that wait for their acknowledgement, in
	// fanout the writes that have not reached every subscriber. Default 1, in
	// fanout 64.
	Window int

	// Concern is memory, applied or persisted. Default persisted.
	Concern string

	// Duration is the measured time of the server; the floor gets as much.
	// Default 10 s.
	Duration time.Duration

	// Warmup comes before it. Default 2 s.
	Warmup time.Duration

	// ValueBytes is the size of the string in each value. Default 100.
	ValueBytes int

	// Keys is how many keys are written, or records are synchronised.
	// Default 10 000.
	Keys int

	// Rate is the writes per second in fanout; 0 is as fast as they are
	// delivered.
	Rate int

	// Queries is how many standing queries there are in query: that many
	// equalities, a tenth of it ranges, and a tenth of it windows over as many
	// records; the index is of ten times as many. Default 100 000.
	Queries int

	// Part is the only part of query that is measured; empty for all.
	Part string

	// MemoryBudget is what a started server may take, as its option says it; empty
	// for its default.
	MemoryBudget string

	// URL is a server that runs already; empty starts one.
	URL string

	// CPUProfile is a file for a profile of the started server.
	CPUProfile string

	// Dir is where a started server keeps its data. Default: a new directory
	// below the system's for temporary files.
	Dir string

	// Program is this program, to start children with, and Environ what they find
	// in their environment.
	Program string
	Environ []string
	Stderr  io.Writer
	Clock   clock.Clock

	// valueOf makes the values that are written; nil for a text of ValueBytes.
	valueOf func(key string) value.Raw
}

// rounds is how often server and floor take turns.
const rounds = 3

func (o Options) withDefaults() Options {
	def(&o.Connections, 50)
	def(&o.Batch, 10)
	if o.Scenario == "fanout" {
		def(&o.Window, 64)
	}
	def(&o.Window, 1)
	def(&o.Concern, "persisted")
	def(&o.Duration, 10*time.Second)
	def(&o.Warmup, 2*time.Second)
	def(&o.ValueBytes, 100)
	def(&o.Keys, 10_000)
	def(&o.Queries, 100_000)
	return o
}

func def[T comparable](field *T, v T) {
	var zero T
	if *field == zero {
		*field = v
	}
}

// concerns are the levels that can be asked for. Nothing is asked for persisted:
// that is what a server does by itself.
var concerns = map[string]struct{ ask, achieved wire.WriteConcern }{
	"memory":    {wire.Memory, wire.Applied},
	"applied":   {wire.Applied, wire.Applied},
	"persisted": {"", wire.Persisted},
}

func (o Options) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := concerns[o.Concern]; !ok {
		bad("concern is %q; allowed are memory, applied and persisted", o.Concern)
	}
	if o.Connections < 1 || o.Connections > 20_000 {
		bad("connections is %d; allowed is 1 to 20000", o.Connections)
	}
	if o.Batch < 1 || o.Batch > 1000 {
		bad("batch is %d; allowed is 1 to 1000", o.Batch)
	}
	if most := 32; o.Window < 1 || o.Window > most && o.Scenario != "fanout" || o.Window > 1000 {
		bad("window is %d; allowed is 1 to %d, in fanout to 1000", o.Window, most)
	}
	if o.Keys < o.Connections && (o.Scenario == "write" || o.Scenario == "memory") {
		bad("keys is %d; every one of the %d connections needs one", o.Keys, o.Connections)
	}
	if o.ValueBytes < 1 || o.ValueBytes > 1<<20 {
		bad("value-bytes is %d; allowed is 1 to 1048576", o.ValueBytes)
	}
	if o.Queries < 10 || o.Queries > 1_000_000 {
		bad("queries is %d; allowed is 10 to 1000000", o.Queries)
	}
	if o.Part != "" && (o.Scenario != "query" || !slices.Contains(Parts(), o.Part)) {
		bad("part is %q; allowed are, in query, %s", o.Part, strings.Join(Parts(), ", "))
	}
	if o.Duration < 100*time.Millisecond {
		bad("duration is %s; at least 100ms is needed", o.Duration)
	}
	if o.CPUProfile != "" && o.URL != "" {
		bad("a profile can only be taken of a server that this program starts; leave out url or cpuprofile")
	}
	if o.MemoryBudget != "" && o.URL != "" {
		bad("only a server that this program starts can be given a memory budget; leave out url or memory-budget")
	}
	return errors.Join(errs...)
}
