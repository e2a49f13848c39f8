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

// changes implements adminapi.Changes over the log of a node. What a consumer
// has read is forgotten with the answer, which may not arrive: it stands where it
// has said that it does.
type changes struct {
	log *log.Log // nil for a node that keeps nothing

	mu sync.Mutex // one request is answered at a time
}

func newChanges(lg any) *changes {
	files, _ := lg.(*log.Log)
	return &changes{log: files}
}

// Read implements adminapi.Changes.
func (c *changes) Read(name, after string, limit int, fn func(*change.Record) error) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log == nil {
		return "", errNothingKept
	}
	r, err := consume.Open(c.log, name)
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
		r.Rewind(lsn)
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

// Forget implements adminapi.Changes.
func (c *changes) Forget(name string) bool {
	return c.log != nil && c.log.Forget(name)
}
