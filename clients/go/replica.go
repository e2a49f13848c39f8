package topgun

import (
	"context"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/merkle"
)

// replica is what maps of both kinds have in common. It is guarded by Client.mu.
type replica struct {
	name      string
	tree      merkle.Tree
	sync      syncState
	followers map[*follower]struct{}
}

// common makes the part of a replica accessible.
func (r *replica) common() *replica { return r }

// replicas returns the replicas of all kinds. mu is held.
func (c *Client) replicas() []syncable {
	out := make([]syncable, 0, len(c.lww)+len(c.or))
	for _, r := range c.lww {
		out = append(out, r)
	}
	for _, r := range c.or {
		out = append(out, r)
	}
	return out
}

// update brings the tree up to a change of a key, and tells who follows. had and
// has say whether the key was and is known.
func (r *replica) update(key string, old, next uint32, had, has bool) {
	delta := 0
	switch {
	case has && !had:
		delta = 1
	case had && !has:
		delta = -1
	}
	r.tree.Update(hash.Key(key), old, next, delta)
	for f := range r.followers {
		f.push(key)
	}
}

// follower collects the keys that have changed and were not yet told of, each
// once.
type follower struct {
	ending *ending
	keys   []string
	known  map[string]struct{}
}

// follow makes a follower of a map. mu is held.
func (c *Client) follow(ctx context.Context, r *replica) (*follower, error) {
	f := &follower{known: map[string]struct{}{}}
	e, err := c.newEnding(ctx, func() { delete(r.followers, f) })
	if err != nil {
		return nil, err
	}
	f.ending = e
	if r.followers == nil {
		r.followers = map[*follower]struct{}{}
	}
	r.followers[f] = struct{}{}
	return f, nil
}

func (f *follower) push(key string) {
	if _, ok := f.known[key]; ok {
		return
	}
	f.known[key] = struct{}{}
	f.keys = append(f.keys, key)
	f.ending.ring()
}

// pop returns the key that has waited longest.
func (f *follower) pop() (string, bool) {
	if len(f.keys) == 0 {
		return "", false
	}
	key := f.keys[0]
	f.keys[0] = ""
	f.keys = f.keys[1:]
	delete(f.known, key)
	return key, true
}
