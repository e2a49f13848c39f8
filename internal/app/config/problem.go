package config

import (
	"strconv"
	"strings"
)

// Problem is one reason why a configuration is refused.
type Problem struct {
	// Option is the name of the option; empty for what is wrong with the file.
	Option string
	// Value is what was given; "(hidden)" for a secret.
	Value string
	// Source says where the value came from, such as "flag --port"; empty when
	// nothing was given.
	Source string
	// Message says what is allowed, or what to do.
	Message string
}

// String is the problem as one line.
func (p Problem) String() string {
	switch {
	case p.Option == "":
		return p.Source + ": " + p.Message
	case p.Source == "":
		return p.Option + ": " + p.Message
	case p.Value == hidden:
		return p.Option + " = " + hidden + " from " + p.Source + ": " + p.Message
	default:
		return p.Option + " = " + strconv.Quote(p.Value) + " from " + p.Source + ": " + p.Message
	}
}

// RefusedError is the error of Load: everything that is wrong, at once.
type RefusedError struct{ Problems []Problem }

// Error lists the problems, one a line.
func (e *RefusedError) Error() string {
	var b strings.Builder
	b.WriteString("the configuration is refused")
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}
