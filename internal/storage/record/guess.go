package record

// A lookup waits for memory three times: for the page in the directory, for its
// slots, and for the entry. With a million records they are in no cache, and a lane
// that looks up one key after the other waits most of the time. Who has several
// keys to look up guesses first where they all are, in three steps, and lets the
// processor fetch for the others meanwhile.

// Guess is where a table may have the entry of a key; the zero Guess is nowhere.
// It stays good for nothing but a comparison, and whatever happens to the table
// meanwhile, a wrong one only costs that.
type Guess struct {
	page int32 // from 1 on
	slot int32
}

// Approach is the first step. It guesses the page of a hash.
func (t *Table) Approach(hash uint32) Guess {
	if len(t.pages) == 0 {
		return Guess{}
	}
	p := t.pageOf(hash+1, "") // the last one that begins with hash at most
	prefetchAt(&t.pages[p])
	return Guess{page: int32(p) + 1}
}

// Open is the second step. It fetches the slots of the page.
func (t *Table) Open(g Guess) {
	if p := int(g.page) - 1; p >= 0 && p < len(t.pages) {
		pg := &t.pages[p]
		prefetch(pg.buf[:int(pg.n)*slotSize])
	}
}

// Near is the last step. It guesses the slot, and fetches the entry.
func (t *Table) Near(g Guess, hash uint32) Guess {
	p := int(g.page) - 1
	if p < 0 || p >= len(t.pages) {
		return Guess{}
	}
	pg := &t.pages[p]
	i := pg.lowerBound(hash)
	if i == int(pg.n) {
		return Guess{}
	}
	prefetch(pg.body(i))
	g.slot = int32(i)
	return g
}

// GetNear is Get, and is quick when the guess is right.
func (t *Table) GetNear(g Guess, hash uint32, key string) (Entry, bool) {
	if p := int(g.page) - 1; p >= 0 && p < len(t.pages) {
		pg := &t.pages[p]
		if i := int(g.slot); i < int(pg.n) && pg.hash(i) == hash {
			if e := t.at(p, i); e.KeyView() == key {
				return e, !e.is(flagGone)
			}
		}
	}
	return t.Get(hash, key)
}
