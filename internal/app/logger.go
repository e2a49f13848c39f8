package app

import (
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/app/config"
)

func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == config.JSON {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// syncMetrics measures the log's group commit.
type syncMetrics struct {
	seconds, bytes prometheus.Histogram
}

func newSyncMetrics(reg prometheus.Registerer) *syncMetrics {
	m := &syncMetrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "topgun_log_sync_seconds", Help: "Time to write and sync one group.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
		}),
		bytes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "topgun_log_group_bytes", Help: "Size of one group.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 10),
		}),
	}
	reg.MustRegister(m.seconds, m.bytes)
	return m
}

func (m *syncMetrics) observe(took time.Duration, bytes int) {
	m.seconds.Observe(took.Seconds())
	m.bytes.Observe(float64(bytes))
}
