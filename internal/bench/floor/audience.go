package floor

import (
	"slices"
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/value"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
)

// audience is everybody who is told of writes.
type audience struct {
	update wire.FanOut

	mu       sync.Mutex
	sessions []*session
}

func newAudience(valueBytes int) *audience {
	v := value.AppendStr(value.AppendMap(nil, 1), "v")
	v = value.AppendStr(v, strings.Repeat("x", valueBytes))
	return &audience{update: wire.Share(&wire.QueryUpdate{Key: "key--0", Value: v, ChangeType: wire.ChangeUpdate})}
}

// join answers a QUERY_SUB, without rows.
func (a *audience) join(s *session, frame []byte) {
	m, err := wire.Decode(frame, wire.Limits{})
	if err != nil {
		return
	}
	sub, ok := m.(*wire.QuerySub)
	if !ok {
		return
	}
	s.head = a.update.AppendHead(nil, sub.QueryID)
	s.send(service.Frame{Head: wire.Append(nil, &wire.QueryResp{QueryID: sub.QueryID})})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions = append(a.sessions, s)
}

func (a *audience) leave(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.sessions, s); i >= 0 {
		a.sessions = slices.Delete(a.sessions, i, i+1)
	}
}

// tell sends everybody the same, behind an id of its own.
func (a *audience) tell() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.sessions {
		s.send(service.Frame{Head: s.head, Body: a.update.Tail})
	}
}
