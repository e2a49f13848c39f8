package topgun

import (
	"math"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/document"
	"github.com/topgunbuild/topgun-go/internal/core/value"
)

// fill takes in a whole replica.
func (l *localQuery) fill(known []liveState, now int64) error {
	add := func(row *liveRow) {
		if row = l.place(row); row != nil {
			l.byKey[row.key] = row
			l.all = append(l.all, row)
		}
	}
	for _, k := range known {
		doc := l.wanted(k.key, k.state, now)
		if l.groups != nil {
			l.groups.put(k.key, &doc)
			continue
		}
		add(l.recordRow(k.key, &doc))
	}
	if l.groups != nil {
		if l.groups.set.Full() {
			return errManyGroups
		}
		for key, v := range l.groups.take() {
			add(l.row(key, v, v))
		}
	}
	slices.SortFunc(l.all, l.compare)
	return nil
}

// wanted returns what the query sees of a record, nothing if the condition does
// not hold.
func (l *localQuery) wanted(key, state string, now int64) document.Document {
	doc := document.Of(l.source.kind, state, now)
	holds := doc.There && l.match.Match(key, doc.Full)
	delete(l.ends, key)
	// A set may come to match when one of its values has expired.
	if doc.There && doc.Until != math.MaxInt64 && (holds || doc.Made) {
		l.ends[key] = doc.Until
	}
	if !holds {
		return document.Document{}
	}
	return doc
}

// recordRow returns the row of a record that is wanted, or nil.
func (l *localQuery) recordRow(key string, doc *document.Document) *liveRow {
	switch {
	case !doc.There:
		return nil
	case len(l.fields) > 0: // which may be any of the document
		return l.row(key, doc.Full, doc.Full)
	}
	return l.row(key, doc.Value, doc.Full)
}

// place leaves out a row that the result begins behind.
func (l *localQuery) place(row *liveRow) *liveRow {
	if row != nil && l.after != nil && l.compare(row, l.after) <= 0 {
		l.before[row.key] = struct{}{}
		return nil
	}
	return row
}

// refresh brings a record up to date. mu is held.
func (l *localQuery) refresh(key string, now int64) {
	doc := l.wanted(key, l.source.state(key), now)
	if l.groups != nil {
		l.groups.put(key, &doc)
		return
	}
	l.set(key, l.recordRow(key, &doc))
}

// set replaces the row of a key; nil is none. mu is held.
func (l *localQuery) set(key string, next *liveRow) {
	delete(l.before, key)
	old := l.byKey[key]
	next = l.place(next)
	if old != nil && next != nil && l.alike(old, next) {
		return
	}
	if old != nil {
		i, _ := slices.BinarySearchFunc(l.all, old, l.compare)
		l.all = slices.Delete(l.all, i, i+1)
		delete(l.byKey, key)
	}
	if next != nil {
		i, _ := slices.BinarySearchFunc(l.all, next, l.compare)
		l.all = slices.Insert(l.all, i, next)
		l.byKey[key] = next
	}
}

// alike reports whether two rows of a key are the same to the application.
func (l *localQuery) alike(a, b *liveRow) bool {
	if len(l.fields) == 0 {
		return value.Equal(a.value, b.value)
	}
	return l.compare(a, b) == 0 && value.Equal(l.project(a.value), l.project(b.value))
}

// follow takes in what has changed. mu is held.
func (l *localQuery) follow(now int64) error {
	for key, ok := l.follower.pop(); ok; key, ok = l.follower.pop() {
		l.refresh(key, now)
	}
	for key, end := range l.ends {
		if end < now {
			l.refresh(key, now)
		}
	}
	if l.groups == nil {
		return nil
	}
	if l.groups.set.Full() {
		return errManyGroups
	}
	for key, v := range l.groups.take() {
		if v == nil {
			l.set(key, nil)
			continue
		}
		l.set(key, l.row(key, v, v))
	}
	return nil
}

// take returns the result, if it is another one than was read last. mu is held.
func (l *localQuery) take(now int64) (snapshot, bool) {
	if err := l.follow(now); err != nil {
		l.follower.ending.end(err)
		return snapshot{}, false
	}
	s := snapshot{first: !l.told, rows: slices.Clone(l.all[:min(len(l.all), l.limit)]), more: len(l.all) > l.limit}
	if l.message.Query.TotalCount {
		s.total = int64(len(l.all) + len(l.before))
	}
	shown := make(map[string]*liveRow, len(s.rows))
	for _, row := range s.rows {
		shown[row.key] = row
		switch was := l.window[row.key]; {
		case was == nil:
			s.updates = append(s.updates, rowUpdate{Entered, row.key, row})
		case was != row:
			s.updates = append(s.updates, rowUpdate{Updated, row.key, row})
		}
		delete(l.window, row.key)
	}
	for key := range l.window {
		s.updates = append(s.updates, rowUpdate{kind: Left, key: key})
	}
	l.window = shown
	if l.told && len(s.updates) == 0 && s.total == l.known {
		return snapshot{}, false
	}
	l.told, l.known = true, s.total
	if n := len(s.rows); s.more && n > 0 {
		s.cursor = l.cursorAt(s.rows[n-1])
	}
	return s, true
}
