package index

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Kind says how an index arranges its terms.
type Kind string

// The kinds, as the administrative interface names them.
const (
	Hash     Kind = "hash"
	Ordered  Kind = "navigable"
	Inverted Kind = "inverted"
)

// The limits of a definition.
const (
	MaxFields     = 8
	MaxFieldBytes = 256
)

// Definition says what is indexed. It is comparable by Name.
type Definition struct {
	Map string

	// Fields are paths in the document: one, or several for a compound index.
	Fields []string

	Kind Kind
}

// ErrDefinition matches every refusal of a definition.
var ErrDefinition = errors.New("index: the definition is not valid")

// Attribute is the fields as one text: joined by commas.
func (d Definition) Attribute() string { return strings.Join(d.Fields, ",") }

// ParseAttribute splits what Attribute has joined.
func ParseAttribute(s string) []string {
	fields := strings.Split(s, ",")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

// Name tells definitions of one map apart: two with the same fields are the same
// index.
func (d Definition) Name() string { return d.Map + "/" + d.Attribute() }

// Validate refuses what cannot be indexed.
func (d Definition) Validate() error {
	switch {
	case d.Map == "":
		return fmt.Errorf("%w: it names no map", ErrDefinition)
	case d.Kind != Hash && d.Kind != Ordered && d.Kind != Inverted:
		return fmt.Errorf("%w: kind %q, allowed are hash, navigable and inverted", ErrDefinition, d.Kind)
	case len(d.Fields) == 0 || len(d.Fields) > MaxFields:
		return fmt.Errorf("%w: %d fields, allowed are 1 to %d", ErrDefinition, len(d.Fields), MaxFields)
	case d.Kind == Inverted && len(d.Fields) > 1:
		return fmt.Errorf("%w: an inverted index has one field", ErrDefinition)
	}
	for i, f := range d.Fields {
		switch {
		case f == "" || len(f) > MaxFieldBytes || strings.Contains(f, ","):
			return fmt.Errorf("%w: field %q; a field is a path of 1 to %d bytes without commas", ErrDefinition, f, MaxFieldBytes)
		case slices.Contains(d.Fields[:i], f):
			return fmt.Errorf("%w: field %q is there twice", ErrDefinition, f)
		}
	}
	return nil
}

// paths are the fields, parsed.
func (d Definition) paths() []value.Path {
	out := make([]value.Path, len(d.Fields))
	for i, f := range d.Fields {
		out[i] = value.ParsePath(f)
	}
	return out
}
