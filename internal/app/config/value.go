package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// value is the typed place that one option fills.
type value interface {
	// kind names the type in help and documentation, such as "size".
	kind() string
	// allowed says which texts are accepted, as the end of "allowed is …".
	allowed() string
	// set parses texts and stores the result. Only a list gets other than one
	// text. An error is errRange, or says more than allowed() does.
	set(texts []string) error
}

// errRange means: not among what allowed() says.
var errRange = errors.New("not allowed")

// whole is a whole number from min to max.
type whole struct {
	to       *int
	min, max int
}

func (whole) kind() string { return "number" }

func (v whole) allowed() string {
	return fmt.Sprintf("a whole number from %d to %d", v.min, v.max)
}

func (v whole) set(texts []string) error {
	n, err := strconv.Atoi(texts[0])
	if err != nil || n < v.min || n > v.max {
		return errRange
	}
	*v.to = n
	return nil
}

// size is a number of bytes, with or without a unit.
type size[T int | int64] struct {
	to       *T
	min, max int64
}

func (size[T]) kind() string { return "size" }

func (v size[T]) allowed() string {
	return fmt.Sprintf("a size from %s to %s", formatSize(v.min), formatSize(v.max))
}

func (v size[T]) set(texts []string) error {
	n, ok := parseSize(texts[0])
	if !ok || n < v.min || n > v.max {
		return errRange
	}
	*v.to = T(n)
	return nil
}

// sizeUnits are what may follow the digits of a size, longest suffix first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

func parseSize(text string) (n int64, ok bool) {
	unit := int64(1)
	for _, u := range sizeUnits {
		if digits, found := strings.CutSuffix(text, u.name); found {
			text, unit = digits, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, false
	}
	return n * unit, true
}

// formatSize writes n with the largest binary unit that divides it.
func formatSize(n int64) string {
	for _, u := range sizeUnits[:3] {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// span is a duration from min to max.
type span struct {
	to       *time.Duration
	min, max time.Duration
}

func (span) kind() string { return "duration" }

func (v span) allowed() string {
	return fmt.Sprintf("a duration from %s to %s", formatSpan(v.min), formatSpan(v.max))
}

func (v span) set(texts []string) error {
	d, err := time.ParseDuration(texts[0])
	if err != nil || d < v.min || d > v.max {
		return errRange
	}
	*v.to = d
	return nil
}

// formatSpan is Duration.String without zero minutes and seconds at the end.
func formatSpan(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// onOff is a switch. The flag alone means on.
type onOff struct{ to *bool }

func (onOff) kind() string    { return "switch" }
func (onOff) allowed() string { return "1, true, 0 or false" }

func (v onOff) set(texts []string) error {
	switch strings.ToLower(texts[0]) {
	case "1", "true":
		*v.to = true
	case "0", "false":
		*v.to = false
	default:
		return errRange
	}
	return nil
}

// choice is one of a few words, each standing for a T.
type choice[T any] struct {
	to    *T
	words []word[T]
}

type word[T any] struct {
	text string
	is   T
}

func (choice[T]) kind() string { return "choice" }

func (v choice[T]) allowed() string {
	texts := make([]string, len(v.words))
	for i, w := range v.words {
		texts[i] = w.text
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

func (v choice[T]) set(texts []string) error {
	for _, w := range v.words {
		if w.text == texts[0] {
			*v.to = w.is
			return nil
		}
	}
	return errRange
}

// text is any text that check accepts. The check is given no empty text: an
// empty one is refused before.
type text struct {
	to    *string
	what  string // "a node name: …", for allowed
	check func(string) bool
}

func (text) kind() string      { return "text" }
func (v text) allowed() string { return v.what }

func (v text) set(texts []string) error {
	if texts[0] == "" || !v.check(texts[0]) {
		return errRange
	}
	*v.to = texts[0]
	return nil
}

// list is a number of texts separated by commas, each accepted by check.
type list struct {
	to    *[]string
	what  string
	check func(string) bool
}

func (list) kind() string      { return "list" }
func (v list) allowed() string { return v.what }

func (v list) set(texts []string) error {
	var items []string
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		for item := range strings.SplitSeq(text, ",") {
			item = strings.TrimSpace(item)
			if !v.check(item) {
				return errRange
			}
			items = append(items, item)
		}
	}
	*v.to = items
	return nil
}

// secret is a text that is never shown.
type secret struct {
	to   *Secret
	what string
	make func(string) (Secret, error)
}

func (secret) kind() string      { return "secret" }
func (v secret) allowed() string { return v.what }

func (v secret) set(texts []string) error {
	if texts[0] == "" {
		return errRange
	}
	s, err := v.make(texts[0])
	if err != nil {
		return fmt.Errorf("%w; allowed is %s", err, v.what)
	}
	*v.to = s
	return nil
}
