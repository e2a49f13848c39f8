package record

// What is in the durable store need not be here. An entry may be hollow: key and
// all that is said of it are here and the state is not. Or a key is away: it is
// not here at all, and a filter remembers its hash. An entry that was removed
// while the store still has it stays as gone: lookups do not find it, and nobody
// asks the store.

// Full reports whether everything is here: no entry is hollow and no key away.
func (t *Table) Full() bool { return t.away == 0 && t.hollow == 0 }

// Away is the number of keys that are only in the store.
func (t *Table) Away() int { return t.away }

// Hollow is the number of entries whose states are only in the store.
func (t *Table) Hollow() int { return t.hollow }

// MayBeAway reports whether a key with this hash may be away. It is sure when it
// says no; when it says yes, it is wrong about three times in a hundred.
func (t *Table) MayBeAway(hash uint32) bool { return t.away > 0 && t.filter.has(hash) }

// Where says what is known of a key without asking the store.
type Where uint8

// The answers of Find.
const (
	// Absent: there is no such key.
	Absent Where = iota

	// Here: key and state are here.
	Here

	// Hollow: the key is here, its state in the store.
	Hollow

	// Unknown: the store has to be asked.
	Unknown
)

// Find says where a key is.
func (t *Table) Find(hash uint32, key string) Where {
	p, i, found := t.find(hash, key)
	switch {
	case !found && t.MayBeAway(hash):
		return Unknown
	case !found || t.at(p, i).is(flagGone):
		return Absent
	case t.at(p, i).is(flagHollow):
		return Hollow
	default:
		return Here
	}
}

// AddAway notes a key that is in the store and was never here.
func (t *Table) AddAway(hash uint32) {
	before := t.filter.bytes()
	t.filter.add(hash)
	t.pool.bytes += t.filter.bytes() - before
	t.away++
}

// ComeBack notes that a key that was away has been put. Once all are back,
// nothing needs to be looked for any more.
func (t *Table) ComeBack() {
	if t.away--; t.away == 0 {
		t.pool.bytes -= t.filter.bytes()
		t.filter = filter{}
	}
}

// Evict sends an entry away.
func (t *Table) Evict(e Entry) {
	t.AddAway(e.hash)
	t.drop(e)
}

// HollowOut leaves the state of an entry to the store. The entry's Update with
// the state makes it whole again.
func (t *Table) HollowOut(e Entry) Entry {
	e = t.Update(e, nil)
	e.set(flagHollow, true)
	t.hollow++
	return e
}

// Hollow reports whether the entry's state is in the store only.
func (e Entry) Hollow() bool { return e.is(flagHollow) }

// Remove takes an entry away for lookups and scans, and keeps its key until
// Forget. A Put brings it back as a new entry.
func (t *Table) Remove(e Entry) {
	e = t.Update(e, nil)
	e.b[atFlags] = e.b[atFlags]&(flagOut|flagWord) | flagGone
	t.count--
	t.gone++
}

// Forget ends what Remove began, if the key was not put again.
func (t *Table) Forget(hash uint32, key string) {
	if p, i, found := t.find(hash, key); found {
		if e := t.at(p, i); e.is(flagGone) {
			t.drop(e)
		}
	}
}

// Pin keeps the table's entries from being evicted until Unpin; pins count.
func (t *Table) Pin() { t.pins++ }

// Unpin takes a Pin back.
func (t *Table) Unpin() { t.pins-- }

// Pinned reports whether the table is pinned.
func (t *Table) Pinned() bool { return t.pins > 0 }

// Sample is an entry picked by chance, and false if what it hit upon is none.
func (t *Table) Sample(random uint64) (Entry, bool) {
	if len(t.pages) == 0 {
		return Entry{}, false
	}
	p := int(uint32(random)) % len(t.pages)
	e := t.at(p, int(random>>32)%int(t.pages[p].n))
	return e, !e.is(flagGone)
}
