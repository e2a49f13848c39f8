package config

import (
	"strings"

	"github.com/topgunbuild/topgun-go/internal/storage/index"
)

// Definitions are the indexes that the server makes at the start.
func (q Queries) Definitions() []index.Definition {
	var out []index.Definition
	for _, s := range q.Indexes {
		out = append(out, definitionOf(s))
	}
	return out
}

// definitionOf reads map:field+field:type; what is wrong with it is left to
// Validate.
func definitionOf(s string) index.Definition {
	mapName, rest, _ := strings.Cut(s, ":")
	attribute, kind, _ := strings.Cut(rest, ":")
	return index.Definition{Map: mapName, Fields: strings.Split(attribute, "+"), Kind: index.Kind(kind)}
}

func isIndex(s string) bool { return definitionOf(s).Validate() == nil }
