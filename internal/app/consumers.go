package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/storage/log"
)

// consumerMetrics reports the places of the log's consumers.
type consumerMetrics struct {
	log        *log.Log
	lag, whole *prometheus.Desc
}

func newConsumerMetrics(lg *log.Log) *consumerMetrics {
	labels := []string{"consumer"}
	return &consumerMetrics{
		log:   lg,
		lag:   prometheus.NewDesc("topgun_log_consumer_lag_bytes", "Durable log that the consumer has not acknowledged.", labels, nil),
		whole: prometheus.NewDesc("topgun_log_consumer_whole", "1 while the consumer has everything before its place; 0 while it needs a copy of the state.", labels, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *consumerMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.lag
	ch <- m.whole
}

// Collect implements prometheus.Collector.
func (m *consumerMetrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.log.Consumers() {
		var whole float64
		if c.Whole {
			whole = 1
		}
		ch <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, float64(c.LagBytes), c.Name)
		ch <- prometheus.MustNewConstMetric(m.whole, prometheus.GaugeValue, whole, c.Name)
	}
}
