package topgun

import (
	"iter"

	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/group"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// localGroups are the groups of the records that a local query wants.
type localGroups struct {
	set     *group.Set
	docs    map[string]value.Raw    // of the records, by their keys
	touched map[string]*group.Group // of which a record has changed, by their keys
}

func newLocalGroups(how *group.Grouping) *localGroups {
	return &localGroups{group.NewSet(how), map[string]value.Raw{}, map[string]*group.Group{}}
}

// put brings a record into its group, and out of the one where it was.
func (g *localGroups) put(key string, doc *document.Document) {
	if was, in := g.docs[key]; in {
		delete(g.docs, key)
		g.touch(g.set.Put(key, was, -1))
	}
	if doc.There {
		g.docs[key] = doc.Full
		g.touch(g.set.Put(key, doc.Full, +1))
	}
}

func (g *localGroups) touch(gr *group.Group) {
	if gr != nil {
		g.touched[gr.Key] = gr
	}
}

// take returns the keys of the groups that have changed since the last time, with
// the values of their rows; nil where no record is left.
func (g *localGroups) take() iter.Seq2[string, value.Raw] {
	return func(yield func(string, value.Raw) bool) {
		for key, gr := range g.touched {
			delete(g.touched, key)
			var v value.Raw
			if gr.Count > 0 {
				v = g.set.Value(gr)
			}
			if !yield(key, v) {
				return
			}
		}
	}
}
