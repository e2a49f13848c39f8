package predicate

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// source is where an operand comes from.
type source uint8

const (
	sourceLiteral source = iota
	sourceData           // the document
	sourceKey            // the key of the record
	sourceOld            // the document before the change
	sourceAuth           // the claims of the caller
	sourceNow            // the time
)

// operand is one side of a comparison.
type operand struct {
	source  source
	literal value.Raw
	path    value.Path
}

func (o operand) reference() bool { return o.source != sourceLiteral }

// attribute returns the operand of a path in the document.
func attribute(name string) operand {
	if name == KeyAttribute {
		return operand{source: sourceKey}
	}
	return operand{source: sourceData, path: value.ParsePath(name)}
}

// parseRef returns the operand that a reference names; ok is false if it names
// nothing.
func parseRef(ref string) (o operand, ok bool) {
	if ref == "now" {
		return operand{source: sourceNow}, true
	}
	root, path, ok := strings.Cut(ref, ".")
	if !ok || path == "" {
		return operand{}, false
	}
	switch root {
	case "data":
		return attribute(path), true
	case "old":
		return operand{source: sourceOld, path: value.ParsePath(path)}, true
	case "auth":
		return operand{source: sourceAuth, path: value.ParsePath(path)}, true
	}
	return operand{}, false
}

// clientRef reports whether clients may write the reference.
func clientRef(ref string) bool {
	o, ok := parseRef(ref)
	return ok && o.source != sourceOld && o.source != sourceNow
}
