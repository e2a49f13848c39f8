package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// builds is how often an index is made.
const builds = 5

// buildRate is the writes per second beside it, if no other rate is asked for.
const buildRate = 2000

// building measures what making an index does to writes beside it: how long the
// longest of them takes, against the longest in an equal time without. Both are
// medians over several builds: on a shared machine the longest of all says what
// others did.
func building(ctx context.Context, o Options, res *Result) (err error) {
	server, err := startTarget(ctx, o, childServer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if server.process == nil {
		return errors.New("the index is made over HTTP by a server of its own; leave out url")
	}
	records := o.Queries * 10
	all := o
	all.Connections, all.Batch, all.Window, all.Keys, all.valueOf = pacedConnections, min(500, records/pacedConnections), 4, records, numbered(o.ValueBytes)
	if err := fill(ctx, server.url, all); err != nil {
		return err
	}
	rate := o.Rate
	if rate == 0 {
		rate = buildRate
	}
	load, err := startSteady(ctx, server.url, all, records, rate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, load.close()) }()
	if err := pause(ctx, o, o.Warmup); err != nil {
		return err
	}
	if o.CPUProfile != "" {
		if err := server.process.Profile(o.CPUProfile); err != nil {
			return err
		}
	}
	x := indexer{port: server.process.Port, o: o}
	var seconds []float64
	var with, without stalls
	for range builds {
		begun := o.Clock.Now()
		if err := x.build(ctx); err != nil {
			return err
		}
		built := o.Clock.Now()
		if err := pause(ctx, o, built.Sub(begun)); err != nil {
			return err
		}
		seconds = append(seconds, built.Sub(begun).Seconds())
		with.add(load.between(begun, built))
		without.add(load.between(built, o.Clock.Now()))
		if err := x.drop(ctx); err != nil {
			return err
		}
	}
	if o.CPUProfile != "" {
		if err := server.process.StopProfile(); err != nil {
			return err
		}
	}
	res.IndexRecords, res.IndexSeconds = records, median(seconds)
	res.StallBuilding, res.StallIdle = median(with.longest), median(without.longest)
	res.P99Building, res.P99Idle = median(with.p99), median(without.p99)
	return nil
}

// stalls are what several times have shown, in milliseconds.
type stalls struct{ longest, p99 []float64 }

func (s *stalls) add(times []time.Duration) {
	s.longest = append(s.longest, percentile(times, 100))
	s.p99 = append(s.p99, percentile(times, 99))
}

// pause lets a time go by.
func pause(ctx context.Context, o Options, d time.Duration) error {
	t := o.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// indexer makes and drops an index of the numbers of records.
type indexer struct {
	port int
	o    Options
}

const indexedField = "n"

// lookEvery is how often one looks whether the index is complete.
const lookEvery = 20 * time.Millisecond

// build makes the index and returns when it is complete.
func (x *indexer) build(ctx context.Context) error {
	body := fmt.Appendf(nil, `{"mapName":%q,"attribute":%q,"indexType":"navigable"}`, mapName, indexedField)
	if err := x.call(ctx, http.MethodPost, "", body, nil); err != nil {
		return err
	}
	for {
		var status struct {
			Done bool `json:"done"`
		}
		if err := x.call(ctx, http.MethodGet, "/"+mapName+"/"+indexedField+"/status", nil, &status); err != nil || status.Done {
			return err
		}
		if err := pause(ctx, x.o, lookEvery); err != nil {
			return err
		}
	}
}

func (x *indexer) drop(ctx context.Context) error {
	return x.call(ctx, http.MethodDelete, "/"+mapName+"/"+indexedField, nil, nil)
}

func (x *indexer) call(ctx context.Context, method, path string, body []byte, answer any) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/api/admin/indexes%s", x.port, path)
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s is answered with %s: %s", method, url, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
