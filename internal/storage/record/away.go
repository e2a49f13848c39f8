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
	t.note(&t.filter, hash)
	if t.fresh != nil {
		t.note(t.fresh, hash)
	}
	t.away++
}

func (t *Table) note(f *filter, hash uint32) {
	before := f.bytes()
	f.add(hash)
	t.pool.bytes += f.bytes() - before
}

// ComeBack notes that a key that was away has been put. Once all are back,
// nothing needs to be looked for any more.
func (t *Table) ComeBack() {
	if t.away--; t.away == 0 {
		t.dropFilters()
	}
}

func (t *Table) dropFilters() {
	t.EndRenewal(false)
	t.pool.bytes -= t.filter.bytes()
	t.filter = filter{}
}

// A filter cannot forget. The hashes of keys that have come back, or are no more,
// stay in it, and where keys come and go it would grow for ever. So now and then
// it is made anew of what the store has, while keys go on leaving: those are noted
// in both.

// wornFrom is how many hashes a filter has at least before it is made anew.
const wornFrom = 1024

// Worn reports whether most of what the filter remembers is not away.
func (t *Table) Worn() bool { return t.fresh == nil && t.filter.all > wornFrom+2*t.away }

// Renew begins to make the filter anew. Whoever calls it tells KeepAway every key
// that the store has from now on, and then EndRenewal.
func (t *Table) Renew() { t.fresh = &filter{} }

// Renewing reports whether the filter is being made anew. That ends by itself when
// all keys are back.
func (t *Table) Renewing() bool { return t.fresh != nil }

// KeepAway has the new filter remember a key of the store, if it is away.
func (t *Table) KeepAway(hash uint32, key string) {
	if t.Find(hash, key) == Unknown {
		t.note(t.fresh, hash)
	}
}

// EndRenewal ends what Renew began: with the new filter when it has all, else with
// the one that there was.
func (t *Table) EndRenewal(all bool) {
	if t.fresh == nil {
		return
	}
	if all {
		t.filter, *t.fresh = *t.fresh, t.filter
	}
	t.pool.bytes -= t.fresh.bytes()
	t.fresh = nil
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

// Forget ends what Remove began, if the key was not put again and its removal is not
// one that has yet to be taken for a checkpoint: then the store has what was put
// meanwhile.
func (t *Table) Forget(hash uint32, key string) {
	if p, i, found := t.find(hash, key); found {
		if e := t.at(p, i); e.is(flagGone) && !e.Dirty() {
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
