package config

import (
	"strings"
	"time"

	"github.com/topgunbuild/topgun-go/internal/grid/records"
)

// Lifetimes say how long records, tombstones and devices are kept.
type Lifetimes struct {
	// TTL is the time to live of records that carry none, by map.
	TTL []MapSpan
	// MaxIdle is how long after its last write a key lives, by map.
	MaxIdle []MapSpan
	// Tombstones is how long deletions are remembered that not every device has
	// confirmed, and so how long a device may stay away with its writes.
	Tombstones time.Duration
	// Devices is how long a device that stays away is remembered. Never less
	// than Tombstones.
	Devices time.Duration
}

// MapSpan is a duration for some maps.
type MapSpan struct {
	// Map is the name of a map, or the beginning of names followed by *.
	Map  string
	Span time.Duration
}

// maxSpan bounds lifetimes: a hundred years.
const maxSpan = 100 * 365 * 24 * time.Hour

func defineLifetimes(l *Lifetimes) []Option {
	const what = "map=duration pairs separated by commas, such as sessions=30m,cache-*=24h, each duration from 1ms to 876000h; the first pair that names a map counts, and none may name the server's own"
	return []Option{
		{
			Name: "map-ttl", Env: "TOPGUN_MAP_TTL", Group: groupLifetimes,
			Help:  "Time to live of records that carry none, by map: counted from the timestamp of the write.",
			value: spans{to: &l.TTL, what: what},
		},
		{
			Name: "map-max-idle", Env: "TOPGUN_MAP_MAX_IDLE", Group: groupLifetimes,
			Help:  "How long a key lives that is not written again, by map: counted from the arrival of its last write.",
			value: spans{to: &l.MaxIdle, what: what},
		},
		{
			Name: "tombstone-retention", Env: "TOPGUN_TOMBSTONE_RETENTION", Group: groupLifetimes, Default: "720h",
			Help:  "How long deletions are remembered that not every device has confirmed. A device that was away for longer starts anew, and its older writes are refused where the key is gone.",
			value: span{to: &l.Tombstones, min: 10 * time.Second, max: maxSpan},
		},
		{
			Name: "device-retention", Env: "TOPGUN_DEVICE_RETENTION", Group: groupLifetimes, Default: "2160h",
			Help:  "How long a device that stays away is remembered; at least tombstone-retention.",
			value: span{to: &l.Devices, min: 48 * time.Hour, max: maxSpan},
		},
	}
}

// spans is a duration for each of some maps.
type spans struct {
	to   *[]MapSpan
	what string
}

func (spans) kind() string      { return "list" }
func (v spans) allowed() string { return v.what }

func (v spans) set(texts []string) error {
	var items []MapSpan
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		for item := range strings.SplitSeq(text, ",") {
			name, span, ok := strings.Cut(strings.TrimSpace(item), "=")
			d, err := time.ParseDuration(span)
			if !ok || err != nil || d < time.Millisecond || d > maxSpan || !isMapPattern(name) {
				return errRange
			}
			items = append(items, MapSpan{name, d})
		}
	}
	*v.to = items
	return nil
}

// isMapPattern accepts the name of a map, or the beginning of names and a star. The
// server's own maps are not an operator's to end.
func isMapPattern(s string) bool {
	name, pattern := strings.CutSuffix(s, "*")
	return (pattern || name != "") && !strings.ContainsAny(name, ":*") && !records.Reserved(name)
}
