package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Result is what a scenario has shown. Figures that a scenario does not have are
// zero.
type Result struct {
	Scenario    string  `json:"scenario"`
	Connections int     `json:"connections"`
	Batch       int     `json:"batch,omitempty"`
	Window      int     `json:"window,omitempty"`
	Concern     string  `json:"concern,omitempty"`
	Keys        int     `json:"keys,omitempty"`
	ValueBytes  int     `json:"value_bytes,omitempty"`
	Seconds     float64 `json:"seconds"`

	OpsPerSecond float64 `json:"ops_per_s"`
	P50Millis    float64 `json:"p50_ms"`
	P99Millis    float64 `json:"p99_ms"`
	LateP99      float64 `json:"late_p99_ms,omitempty"`

	FloorOpsPerSecond       float64 `json:"floor_ops_per_s,omitempty"`
	FloorDeliveredPerSecond float64 `json:"floor_delivered_per_s,omitempty"`
	RatioToFloor            float64 `json:"ratio_to_floor,omitempty"`

	ServerCPUMicrosPerOp float64 `json:"server_cpu_us_per_op,omitempty"`
	FloorCPUMicrosPerOp  float64 `json:"floor_cpu_us_per_op,omitempty"`
	GeneratorCPUShare    float64 `json:"generator_cpu_share,omitempty"`
	CPUWaitShare         float64 `json:"server_cpu_wait_share,omitempty"`
	AllocsPerOp          float64 `json:"server_allocs_per_op,omitempty"`
	ServerRSSBytes       uint64  `json:"server_rss_bytes,omitempty"`

	Checkpoints       int     `json:"checkpoints,omitempty"`
	CheckpointP99     float64 `json:"checkpoint_stall_p99_ms,omitempty"`
	CheckpointLongest float64 `json:"checkpoint_stall_longest_ms,omitempty"`
	StoreLagBytes     uint64  `json:"store_lag_bytes,omitempty"`
	LogSyncMeanMillis float64 `json:"log_sync_mean_ms,omitempty"`
	LogSyncP99Millis  float64 `json:"log_sync_p99_ms,omitempty"`
	LogGroupBytes     float64 `json:"log_group_mean_bytes,omitempty"`
	LogBytesPerOp     float64 `json:"log_bytes_per_op,omitempty"`

	Queries      int     `json:"queries,omitempty"`
	EqualityCost float64 `json:"equality_cost,omitempty"`
	RangeCost    float64 `json:"range_cost,omitempty"`
	SetupSeconds float64 `json:"setup_s,omitempty"`

	IndexRecords  int     `json:"index_records,omitempty"`
	IndexSeconds  float64 `json:"index_build_s,omitempty"`
	StallBuilding float64 `json:"stall_building_ms,omitempty"`
	StallIdle     float64 `json:"stall_without_ms,omitempty"`
	P99Building   float64 `json:"p99_building_ms,omitempty"`
	P99Idle       float64 `json:"p99_without_ms,omitempty"`

	DeliveredPerSecond float64 `json:"delivered_per_s,omitempty"`
	InitialSyncSeconds float64 `json:"initial_sync_s,omitempty"`
	DeltaSyncSeconds   float64 `json:"delta_sync_s,omitempty"`
	DeltaRecords       int     `json:"delta_records,omitempty"`
	HeapBytesPerConn   float64 `json:"heap_and_stack_bytes_per_connection,omitempty"`
	RSSBytesPerConn    float64 `json:"rss_bytes_per_connection,omitempty"`

	EmptyOpsPerSecond   float64 `json:"empty_ops_per_s,omitempty"`
	EmptyCPUMicrosPerOp float64 `json:"empty_server_cpu_us_per_op,omitempty"`
	FullOpsPerSecond    float64 `json:"full_ops_per_s,omitempty"`
	RatioToEmpty        float64 `json:"ratio_to_empty,omitempty"`
	EmptyRSSBytes       uint64  `json:"empty_rss_bytes,omitempty"`
	RSSBytesPerRecord   float64 `json:"rss_bytes_per_record,omitempty"`
	StartKilledSeconds  float64 `json:"start_after_kill_s,omitempty"`
	StartStoppedSeconds float64 `json:"start_after_stop_s,omitempty"`
	StartedRSSBytes     uint64  `json:"started_rss_bytes,omitempty"`

	Refused int `json:"refused"`
	Errors  int `json:"errors"`
}

// figure is one line of the table.
type figure struct {
	name  string
	value float64
	unit  string
}

// WriteTable writes the figures for people.
func (r *Result) WriteTable(w io.Writer) error {
	lines := []figure{
		{"operations", r.OpsPerSecond, "/s"},
		{"latency p50", r.P50Millis, "ms"},
		{"latency p99", r.P99Millis, "ms"},
		{"writes late, p99", r.LateP99, "ms"},
		{"floor", r.FloorOpsPerSecond, "/s"},
		{"ratio to floor", r.RatioToFloor, ""},
		{"server CPU per op", r.ServerCPUMicrosPerOp, "µs"},
		{"floor CPU per op", r.FloorCPUMicrosPerOp, "µs"},
		{"generator's share of CPU", r.GeneratorCPUShare, ""},
		{"server waited for a processor", r.CPUWaitShare, "of its time"},
		{"server allocations per op", r.AllocsPerOp, ""},
		{"checkpoints", float64(r.Checkpoints), ""},
		{"stall by checkpoints, p99", r.CheckpointP99, "ms"},
		{"stall by checkpoints, longest", r.CheckpointLongest, "ms"},
		{"lag of the store", float64(r.StoreLagBytes) / 1e6, "MB"},
		{"sync of the log, mean", r.LogSyncMeanMillis, "ms"},
		{"sync of the log, p99", r.LogSyncP99Millis, "ms"},
		{"log per sync", r.LogGroupBytes / 1000, "kB"},
		{"log per op", r.LogBytesPerOp, "bytes"},
		{fmt.Sprintf("a write with %d equalities", r.Queries), r.EqualityCost, "of one with none"},
		{fmt.Sprintf("a write with %d ranges", r.Queries/10), r.RangeCost, "of one with none"},
		{"windows are answered in", r.SetupSeconds, "s"},
		{fmt.Sprintf("index of %d records", r.IndexRecords), r.IndexSeconds, "s"},
		{"longest write beside it", r.StallBuilding, "ms"},
		{"longest write without", r.StallIdle, "ms"},
		{"p99 of writes beside it", r.P99Building, "ms"},
		{"p99 of writes without", r.P99Idle, "ms"},
		{"delivered", r.DeliveredPerSecond, "/s"},
		{"delivered by the floor", r.FloorDeliveredPerSecond, "/s"},
		{"initial sync", r.InitialSyncSeconds, "s"},
		{fmt.Sprintf("delta sync of %d", r.DeltaRecords), r.DeltaSyncSeconds, "s"},
		{"heap and stacks per connection", r.HeapBytesPerConn / 1000, "kB"},
		{"RSS per connection", r.RSSBytesPerConn / 1000, "kB"},
		{"server RSS", float64(r.ServerRSSBytes) / 1e6, "MB"},
		{"RSS of the empty server", float64(r.EmptyRSSBytes) / 1e6, "MB"},
		{"RSS per record", r.RSSBytesPerRecord, "B"},
		{"operations on the empty server", r.EmptyOpsPerSecond, "/s"},
		{"CPU per op of the empty server", r.EmptyCPUMicrosPerOp, "µs"},
		{"operations on the full server", r.FullOpsPerSecond, "/s"},
		{"ratio to the empty server", r.RatioToEmpty, ""},
		{"start after a kill", r.StartKilledSeconds, "s"},
		{"start after a stop", r.StartStoppedSeconds, "s"},
		{"RSS after a start", float64(r.StartedRSSBytes) / 1e6, "MB"},
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d connections", r.Scenario, r.Connections)
	if r.Batch > 0 {
		fmt.Fprintf(&b, ", batches of %d, window %d, %s", r.Batch, r.Window, r.Concern)
	}
	if r.Keys > 0 {
		fmt.Fprintf(&b, ", %d keys, %d-byte values", r.Keys, r.ValueBytes)
	}
	b.WriteByte('\n')
	for _, f := range lines {
		if f.value != 0 {
			fmt.Fprintf(&b, "  %-32s %14.6g %s\n", f.name, f.value, f.unit)
		}
	}
	fmt.Fprintf(&b, "  %-32s %14d\n  %-32s %14d\n", "refused", r.Refused, "errors", r.Errors)
	_, err := io.WriteString(w, b.String())
	return err
}

// percentile is the value below which p of 100 samples lie, in milliseconds.
// samples are sorted.
func percentile(samples []time.Duration, p int) float64 {
	if len(samples) == 0 {
		return 0
	}
	at := (len(samples)*p + 99) / 100
	return float64(samples[max(at, 1)-1]) / float64(time.Millisecond)
}

// median of values; it sorts them.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
