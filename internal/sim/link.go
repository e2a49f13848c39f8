package sim

import (
	"github.com/topgunbuild/topgun-go/internal/core/wire"
	"github.com/topgunbuild/topgun-go/internal/service"
	"github.com/topgunbuild/topgun-go/internal/session"
)

// link is one connection. Frames arrive in order or, when it breaks, not at all.
type link struct {
	session *session.Session
	up      [][]byte // sent by the client, not yet arrived
	down    [][]byte // sent by the server, not yet arrived
	closing bool     // the server has asked for the end
	random  worldRandom
	until   int64 // when the server learns that the client is gone, 0 while it is not
}

func (s *Simulation) open() *link {
	l := &link{random: s.random}
	l.session = s.server.node.Host.Open(func() {})
	return l
}

// arrive gives the server the next frame, if it takes it.
func (l *link) arrive() {
	if len(l.up) == 0 || l.closing {
		return
	}
	busy, err := l.session.Try(l.up[0])
	if !busy {
		l.up = l.up[1:]
	}
	if err != nil {
		l.closing = true
	}
}

// pump moves what the server has to say onto the wire.
func (l *link) pump() {
	frames, why := l.session.Take(nil, 1<<20)
	for _, f := range frames {
		l.down = append(l.down, flat(f))
	}
	if why != nil && len(frames) == 0 {
		l.closing = true
	}
}

func flat(f service.Frame) []byte {
	return append(append([]byte(nil), f.Head...), f.Body...)
}

// send sends a frame, now and then twice.
func (l *link) send(m wire.Message) {
	frame := wire.Append(nil, m)
	l.up = append(l.up, frame)
	if l.random.chance(20) {
		l.up = append(l.up, frame)
	}
}
