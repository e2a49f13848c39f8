package topgun

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

const keyField = predicate.KeyAttribute

// structs knows how types are encoded, for fields, which belong to no client.
var structs codec

// locate returns what records of type t hold at a path, nil where their type does
// not say.
func locate(t reflect.Type, path string) (reflect.Type, error) {
	switch {
	case path == keyField:
		return reflect.TypeFor[string](), nil
	case t.Kind() == reflect.Pointer:
		return nil, fieldError("%v is a pointer; ask for fields of %v", t, t.Elem())
	}
	for in, rest := t, path; ; {
		at, name, why := step(in, rest)
		switch {
		case why != "":
			return nil, fieldError("%v has no field %q: %v %s", t, path, in, why)
		case at == nil || name == rest:
			return at, nil
		}
		in, rest = at, rest[len(name)+1:]
	}
}

// step returns what is at the first name of a path in t, nil where t does not
// say, that name, and why there is none.
func step(t reflect.Type, path string) (at reflect.Type, name, why string) {
	t = bare(t)
	name, _, _ = strings.Cut(path, ".")
	switch {
	case untyped(t):
		return nil, name, ""
	case text(t):
		return nil, "", "is written as text"
	case t.Kind() == reflect.Struct:
		return member(t, path)
	case t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && name != "":
		return t.Elem(), name, ""
	case list(t):
		if i, err := strconv.Atoi(name); err != nil || i < 0 || strconv.Itoa(i) != name {
			return nil, "", "is a list; a name in it is the index of an element"
		}
		return t.Elem(), name, ""
	}
	return nil, "", "has no fields"
}

// member returns the field of a struct with which a path begins. Names may have
// dots in them; the longest counts.
func member(t reflect.Type, path string) (at reflect.Type, name, why string) {
	var all []string
	for _, f := range structs.fields(t) {
		all = append(all, f.name)
		if len(f.name) >= len(name) && (path == f.name || strings.HasPrefix(path, f.name+".")) {
			at, name = t.FieldByIndex(f.index).Type, f.name
		}
	}
	if at == nil {
		return nil, "", "has " + strings.Join(all, ", ")
	}
	return at, name, ""
}

// bare returns what t points to, unless only the pointer is written as text.
func bare(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer && text(t) == text(t.Elem()) {
		t = t.Elem()
	}
	return t
}

func untyped(t reflect.Type) bool {
	return t == rawType || t == valueRawType || t.Kind() == reflect.Interface && !t.Implements(marshalerType)
}

func text(t reflect.Type) bool { return t.Implements(marshalerType) }

func list(t reflect.Type) bool {
	return t.Kind() == reflect.Array || t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8
}

// holds refuses a field that holds no want.
func holds(record reflect.Type, name string, at, want reflect.Type) error {
	if at == nil {
		return nil
	}
	at = bare(at)
	if at == want || untyped(at) {
		return nil
	}
	return fieldError("the field %q of %v holds %v, not %v", name, record, at, want)
}

// inOrder refuses a field of values that are written in a way that is in another
// order than they are.
func inOrder(record reflect.Type, name string, want reflect.Type) error {
	if text(want) {
		return fieldError("the field %q of %v holds %v, which is written as text and so is in no order; use FieldOf", name, record, want)
	}
	return nil
}

// lists refuses a field that is no list of elements.
func lists(record reflect.Type, name string, at, element reflect.Type) error {
	if at == nil {
		return nil
	}
	at = bare(at)
	if untyped(at) || !text(at) && list(at) && at.Elem() == element {
		return nil
	}
	return fieldError("the field %q of %v holds %v, which is no list of %v", name, record, at, element)
}

func fieldError(format string, args ...any) error {
	return &QueryError{Name: wire.CodeInvalidQuery.Name(), Reason: fmt.Sprintf(format, args...)}
}
