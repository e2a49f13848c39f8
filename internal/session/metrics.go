package session

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what sessions do with frames.
type Metrics struct {
	// Frames counts frames by what became of them: handled, malformed,
	// unknown_type, refused, unauthenticated, ignored.
	Frames *prometheus.CounterVec

	handled prometheus.Counter // of Frames, for the usual case

	// Parked counts how often a session had to wait, by reason: busy, rate.
	Parked *prometheus.CounterVec

	// Slow counts the sessions that were ended because they did not read.
	Slow prometheus.Counter

	// AuthFailures counts tokens that were refused.
	AuthFailures prometheus.Counter
}

// NewMetrics makes and registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		Frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "topgun_session_frames_total", Help: "Frames received, by what became of them.",
		}, []string{"outcome"}),
		Parked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "topgun_session_parked_total", Help: "Times a session was not read because it had to wait.",
		}, []string{"reason"}),
		Slow: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "topgun_session_slow_consumers_total", Help: "Sessions ended because what waited for them exceeded its limit.",
		}),
		AuthFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "topgun_session_auth_failures_total", Help: "Tokens that were refused.",
		}),
	}
	m.handled = m.Frames.WithLabelValues("handled")
	reg.MustRegister(m.Frames, m.Parked, m.Slow, m.AuthFailures)
	return m
}
