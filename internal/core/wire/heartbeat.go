package wire

// Ping asks whether the server is there.
//
//wire:message PING flat c2s
type Ping struct {
	Timestamp float64 `wire:"timestamp"` // the client's clock, ms; only echoed
}

// Pong answers a PING. It is never put into a BATCH.
//
//wire:message PONG flat s2c
type Pong struct {
	Timestamp  float64 `wire:"timestamp"`  // of the PING
	ServerTime int64   `wire:"serverTime"` // epoch ms
}
