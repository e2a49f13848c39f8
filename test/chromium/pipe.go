package chromium

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errGone is what calls return when the browser has ended.
var errGone = errors.New("the browser has ended")

// message is one message of the protocol, in either direction.
type message struct {
	ID      int64           `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *protocolError  `json:"error,omitempty"`
}

// protocolError is the browser's refusal of a call.
type protocolError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *protocolError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// listener gets the events of one session, in order, and must not wait.
type listener func(method string, params json.RawMessage)

// pipe is the connection to the browser: messages that end with a zero byte.
type pipe struct {
	out io.WriteCloser

	mu        sync.Mutex
	last      int64
	waiting   map[int64]chan message
	listeners map[string]listener
	gone      chan struct{} // closed when nothing more comes
}

func newPipe(out io.WriteCloser) *pipe {
	return &pipe{out: out, waiting: map[int64]chan message{}, listeners: map[string]listener{}, gone: make(chan struct{})}
}

// read hands out what comes in, until nothing does.
func (p *pipe) read(in io.Reader) {
	defer close(p.gone)
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimSuffix(line, []byte{0}), &m) != nil {
			continue // not for us to judge
		}
		p.mu.Lock()
		waiting, heard := p.waiting[m.ID], p.listeners[m.Session]
		delete(p.waiting, m.ID)
		p.mu.Unlock()
		switch {
		case m.ID != 0 && waiting != nil:
			waiting <- m
		case m.ID == 0 && heard != nil:
			heard(m.Method, m.Params)
		}
	}
}

// listen gives the events of a session to l.
func (p *pipe) listen(session string, l listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listeners[session] = l
}

// call calls a method in a session, "" for the browser itself. Params and
// result may be nil.
func (p *pipe) call(ctx context.Context, session, method string, params, result any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if params == nil {
		raw = nil
	}
	answer := make(chan message, 1)
	p.mu.Lock()
	p.last++
	id := p.last
	p.waiting[id] = answer
	line, err := json.Marshal(message{ID: id, Session: session, Method: method, Params: raw})
	if err == nil {
		_, err = p.out.Write(append(line, 0))
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: %w", method, m.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-p.gone:
		return fmt.Errorf("%s: %w", method, errGone)
	case <-ctx.Done():
		p.mu.Lock()
		delete(p.waiting, id)
		p.mu.Unlock()
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}
