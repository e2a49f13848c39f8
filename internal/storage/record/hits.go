package record

// How often an entry is used is counted in one byte: the counter goes up by one
// with a probability that falls as it rises, so that 255 stands for about a
// million uses, and goes down by one for each minute without any. A new entry
// begins above 0, or it would be the first to go.
const (
	newHits   = 5
	hitsSlope = 10
	hitsDecay = 60 // seconds
)

// Touch notes that the entry is read or written by its key now, in seconds since
// the Unix epoch.
func (e Entry) Touch(sec uint32) {
	h := e.Hits(sec)
	if h < 255 && (h <= newHits || e.t.pool.chance(uint32(h-newHits)*hitsSlope+1)) {
		h++
	}
	e.b[atHits] = h
	e.SetUsed(sec)
}

// Hits is how often the entry was used lately, on a scale of its own: 0 for
// hardly, 255 for about a million times.
func (e Entry) Hits(sec uint32) uint8 {
	h, used := e.b[atHits], e.Used()
	if used == 0 || sec < used {
		return h
	}
	return h - uint8(min((sec-used)/hitsDecay, uint32(h)))
}

// chance is true once in n times.
func (p *Pool) chance(n uint32) bool { return uint32(p.Random())%n == 0 }

// Random is a number by chance. It need not be good, only cheap and the same in
// every run.
func (p *Pool) Random() uint64 {
	p.rng += 0x9e3779b97f4a7c15
	x := p.rng
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}
