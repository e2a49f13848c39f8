package query

import (
	"sync"

	"github.com/topgunbuild/topgun-go/internal/service"
)

// away remembers the sessions that found the mailbox full, to wake them up.
type away struct {
	mu      sync.Mutex
	callers []*service.Caller
}

func (a *away) add(c *service.Caller) {
	a.mu.Lock()
	a.callers = append(a.callers, c)
	a.mu.Unlock()
}

func (a *away) take() []*service.Caller {
	a.mu.Lock()
	defer a.mu.Unlock()
	callers := a.callers
	a.callers = nil
	return callers
}
