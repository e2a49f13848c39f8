package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/topgunbuild/topgun-go/internal/core/clock"
	"github.com/topgunbuild/topgun-go/internal/grid/backup"
	"github.com/topgunbuild/topgun-go/internal/transport"
)

// BackupPath answers POST with a snapshot of the node. The body is empty for a
// full one, or the JSON of a [backup.Base].
const BackupPath = Prefix + "backup"

// SnapshotType is the content type of a snapshot.
const SnapshotType = "application/vnd.topgun.snapshot"

// Backup writes a snapshot of the node beyond base, which may be nil, to out.
type Backup func(ctx context.Context, base *backup.Base, out io.Writer) error

// maxBase bounds the body of a request: 271 positions, generously.
const maxBase = 1 << 20

// writeTimeout is how long a reader of a snapshot may stand still.
const writeTimeout = 30 * time.Second

// MountBackup serves backups, one at a time.
func (a *API) MountBackup(take Backup, clk clock.Clock) {
	var busy atomic.Bool
	a.Handle("POST "+BackupPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base, p := readBase(r)
		if p != nil {
			p.Write(w)
			return
		}
		if !busy.CompareAndSwap(false, true) {
			w.Header().Set("Retry-After", "10")
			transport.Problem{Code: http.StatusServiceUnavailable, Message: "another backup is being taken; try again when it has ended"}.Write(w)
			return
		}
		defer busy.Store(false)
		sendBackup(w, r, take, base, clk)
	}))
}

func readBase(r *http.Request) (*backup.Base, *transport.Problem) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBase+1))
	switch {
	case err != nil || len(body) > maxBase:
		return nil, &transport.Problem{Code: http.StatusBadRequest, Message: "the base of the backup could not be read"}
	case len(body) == 0:
		return nil, nil
	}
	var base backup.Base
	if err := json.Unmarshal(body, &base); err != nil || base.ID == "" || base.Log == "" {
		return nil, &transport.Problem{
			Code:    http.StatusBadRequest,
			Message: "the body has to be empty, or the JSON of a base: {id, log, since: {partition: {Epoch, Seq}}}",
		}
	}
	return &base, nil
}

func sendBackup(w http.ResponseWriter, r *http.Request, take Backup, base *backup.Base, clk clock.Clock) {
	out := &patient{w: w, control: http.NewResponseController(w), clock: clk}
	err := take(r.Context(), base, out)
	switch {
	case err == nil:
		return
	case out.begun:
		// The answer has begun: all that can be said is that it is not complete.
		panic(http.ErrAbortHandler)
	case errors.Is(err, backup.ErrBase):
		transport.Problem{Code: http.StatusConflict, Message: "take a full backup"}.Write(w)
	default:
		transport.Problem{Code: http.StatusServiceUnavailable, Message: fmt.Sprintf("no backup can be taken now: %v", err)}.Write(w)
	}
}

// patient writes an answer of any length: what is bounded is how long a reader
// takes nothing.
type patient struct {
	w       http.ResponseWriter
	control *http.ResponseController
	clock   clock.Clock
	begun   bool
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	if !p.begun {
		p.begun = true
		p.w.Header().Set("Content-Type", SnapshotType)
		p.w.Header().Set("Cache-Control", "no-store")
	}
	if err := p.control.SetWriteDeadline(p.clock.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}
