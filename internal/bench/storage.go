package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// addStorage adds what the server says of its log and its checkpoints. Times are
// upper bounds of the buckets that it counts in, but for the longest.
func (r *Result) addStorage(ctx context.Context, port int) error {
	m, err := scrape(ctx, port)
	if err != nil {
		return fmt.Errorf("read the server's metrics: %w", err)
	}
	const sync, group, slice = "topgun_log_sync_seconds", "topgun_log_group_bytes", "topgun_checkpoint_slice_seconds"
	r.Checkpoints = int(m["topgun_checkpoints_total"])
	r.CheckpointLongest = m["topgun_checkpoint_longest_slice_seconds"] * 1000
	r.CheckpointP99 = min(m.percentile(slice, 0.99)*1000, r.CheckpointLongest)
	r.StoreLagBytes = uint64(m["topgun_log_retained_bytes"])
	if n := m[sync+"_count"]; n > 0 {
		r.LogSyncMeanMillis = m[sync+"_sum"] / n * 1000
		r.LogSyncP99Millis = m.percentile(sync, 0.99) * 1000
		r.LogGroupBytes = m[group+"_sum"] / n
	}
	if n := m[`topgun_operations_total{outcome="applied"}`]; n > 0 {
		r.LogBytesPerOp = m[group+"_sum"] / n
	}
	return nil
}

// metrics are the samples of a server by name with labels.
type metrics map[string]float64

func scrape(ctx context.Context, port int) (metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", port), http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	m, err := parseMetrics(resp.Body)
	return m, errors.Join(err, resp.Body.Close())
}

func parseMetrics(r io.Reader) (metrics, error) {
	m := metrics{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
		m[line[:at]] = v
	}
	return m, lines.Err()
}

// percentile is the upper bound of the bucket that holds the p-th part of a
// histogram's samples; 0 without samples, and the greatest bound there is when
// the sample is beyond it.
func (m metrics) percentile(name string, p float64) float64 {
	want := m[name+"_count"] * p
	var bounds []float64
	for key := range m {
		if text, ok := strings.CutPrefix(key, name+`_bucket{le="`); ok {
			if bound, err := strconv.ParseFloat(strings.TrimSuffix(text, `"}`), 64); err == nil && !math.IsInf(bound, 1) {
				bounds = append(bounds, bound)
			}
		}
	}
	slices.Sort(bounds)
	for _, bound := range bounds {
		if want > 0 && m[name+`_bucket{le="`+strconv.FormatFloat(bound, 'g', -1, 64)+`"}`] >= want {
			return bound
		}
	}
	if want > 0 && len(bounds) > 0 {
		return bounds[len(bounds)-1]
	}
	return 0
}
