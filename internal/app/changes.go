package app

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/topgunbuild/topgun-go/internal/core/change"
	"github.com/topgunbuild/topgun-go/internal/grid/consume"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
	"github.com/topgunbuild/topgun-go/internal/transport/adminapi"
)

// changes implements adminapi.Changes over the log of a node. One request of a
// consumer is answered at a time.
type changes struct {
	log *log.Log // nil for a node that keeps nothing

	mu      sync.Mutex
	readers map[string]*consume.Reader
}

func newChanges(lg any) *changes {
	files, _ := lg.(*log.Log)
	return &changes{log: files, readers: map[string]*consume.Reader{}}
}

// Read implements adminapi.Changes.
func (c *changes) Read(name, after string, limit int, fn func(*change.Record) error) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.reader(name)
	if err != nil {
		return "", err
	}
	if after != "" {
		lsn, ours, err := c.parse(after)
		if err != nil {
			return "", err
		}
		if !ours {
			return c.text(r.Resync()), consume.ErrGap // of a server that was restored
		}
		r.Acknowledge(lsn)
		if r.Position() != lsn {
			// It did not get, or did not keep, what it was sent last.
			r.Rewind(lsn)
		}
	}
	_, err = r.Read(limit, fn)
	if errors.Is(err, consume.ErrGap) {
		return c.text(r.Resync()), err
	}
	return c.text(r.Position()), err
}

// text is a position: the identity of the log, so that one of another log is
// never taken for one of this, and the place in it.
func (c *changes) text(lsn log.LSN) string { return fmt.Sprintf("%x.%d", c.log.Identity(), lsn) }

func (c *changes) parse(s string) (lsn log.LSN, ours bool, err error) {
	id, place, ok := strings.Cut(s, ".")
	identity, err := strconv.ParseUint(id, 16, 64)
	n, err2 := strconv.ParseUint(place, 10, 64)
	ours = identity == c.log.Identity()
	if !ok || err != nil || err2 != nil || ours && log.LSN(n) > c.log.Durable() {
		return 0, false, adminapi.ErrPosition
	}
	return log.LSN(n), ours, nil
}

func (c *changes) reader(name string) (*consume.Reader, error) {
	if c.log == nil {
		return nil, errNothingKept
	}
	if r := c.readers[name]; r != nil {
		return r, nil
	}
	r, err := consume.Open(c.log, name)
	if err == nil {
		c.readers[name] = r
	}
	return r, err
}

// Forget implements adminapi.Changes.
func (c *changes) Forget(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readers, name)
	return c.log != nil && c.log.Forget(name)
}
