package document

import (
	"github.com/topgunbuild/topgun-go/internal/core/predicate"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// Attribute is a path that is looked up in documents, or the key.
type Attribute struct {
	Name string
	path value.Path
}

// NewAttribute makes an attribute of the name by which it is asked for.
func NewAttribute(name string) Attribute { return Attribute{name, value.ParsePath(name)} }

// Of returns what the attribute is for a record, nil if it is missing.
func (a Attribute) Of(key string, doc value.Raw) value.Raw {
	if a.Name == predicate.KeyAttribute {
		return value.AppendStr(nil, key)
	}
	v, _ := value.Lookup(doc, a.path)
	return v
}
