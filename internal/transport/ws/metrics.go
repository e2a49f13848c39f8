package ws

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Metrics counts what happens on the connections of one Server.
type Metrics struct {
	active           prometheus.Gauge
	accepted         prometheus.Counter
	refused          *prometheus.CounterVec
	receivedBytes    prometheus.Counter
	receivedMessages prometheus.Counter
	sentBytes        prometheus.Counter
	sentMessages     prometheus.Counter
	ignoredText      prometheus.Counter
	writeStalls      prometheus.Counter
	closes           *prometheus.CounterVec
}

// NewMetrics registers the metrics. It panics when reg has them already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "topgun_ws_" + name, Help: help})
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "topgun_ws_" + name, Help: help}, labels)
	}
	m := &Metrics{
		active: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "topgun_active_connections", Help: "WebSocket connections that are open.",
		}),
		accepted:         counter("accepted_total", "Upgrades made."),
		refused:          vec("refused_total", "Upgrades refused, by reason.", "reason"),
		receivedBytes:    counter("received_bytes_total", "Payload bytes of the binary messages received."),
		receivedMessages: counter("received_messages_total", "Binary messages received."),
		sentBytes:        counter("sent_bytes_total", "Bytes written to sockets, frame headers included."),
		sentMessages:     counter("sent_messages_total", "Binary messages written to sockets."),
		ignoredText:      counter("ignored_text_messages_total", "Text messages received and ignored."),
		writeStalls:      counter("write_stalls_total", "Connections cut because the peer did not take what it was sent in time."),
		closes:           vec("closes_total", "Connections ended, by who ended them and close code.", "by", "code"),
	}
	reg.MustRegister(m.active, m.accepted, m.refused, m.receivedBytes, m.receivedMessages,
		m.sentBytes, m.sentMessages, m.ignoredText, m.writeStalls, m.closes)
	return m
}

// closed counts the end of a connection. A peer can send any code of thousands;
// those that are not ours to send are counted as "other".
func (m *Metrics) closed(e ending) {
	code := "other"
	if e.by != byPeer || known(e.code) {
		code = strconv.Itoa(int(e.code))
	}
	m.closes.WithLabelValues(e.by, code).Inc()
}

// known reports whether code is worth a label of its own when a peer sends it.
func known(code wire.CloseCode) bool {
	if code == closeNoStatus {
		return true
	}
	for _, c := range wire.CloseCodes {
		if c == code {
			return true
		}
	}
	return false
}
