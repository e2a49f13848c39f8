package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scenarios are what can be measured.
var scenarios = map[string]func(context.Context, Options) (*Result, error){
	"write":  write,
	"query":  query,
	"fanout": fanout,
	"sync":   synchronise,
	"idle":   idle,
	"memory": memory,
}

// Scenarios lists the names of what can be measured.
func Scenarios() []string { return slices.Sorted(maps.Keys(scenarios)) }

// Run measures one scenario. A result with errors or refusals is returned as it
// is; it says so.
func Run(ctx context.Context, o Options) (*Result, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	run, ok := scenarios[o.Scenario]
	if !ok {
		return nil, fmt.Errorf("scenario is %q; allowed are %s", o.Scenario, strings.Join(Scenarios(), ", "))
	}
	return run(ctx, o)
}
