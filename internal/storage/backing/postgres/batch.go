package postgres

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// batch gathers the rows of one statement, column by column.
type batch struct {
	limit, limitBytes int
	names             *nameTable
	bytes             int

	put, del columns
	kinds    []int16
	seqs     []int64
	arrivals []int64
	keys     [][]byte
	states   [][]byte

	unnamed []pending // rows whose map has no number yet
}

// columns are the parts of the primary key.
type columns struct {
	maps       []int32
	partitions []int32
	hashes     []int64
	digests    [][]byte
}

// pending is a place in the columns of a row of a map.
type pending struct {
	name mapName
	in   *columns
	at   int
}

// add copies a row, after flush if there is no room for it.
func (b *batch) add(w *backing.Write, flush func() error) error {
	size := len(w.Key.Key) + len(w.State)
	if n := len(b.put.maps) + len(b.del.maps); n > 0 && (n >= b.limit || b.bytes+size > b.limitBytes) {
		if err := flush(); err != nil {
			return err
		}
	}
	b.bytes += size
	to := &b.put
	key := []byte(w.Key.Key)
	if w.Delete {
		to = &b.del
	} else {
		b.kinds = append(b.kinds, int16(w.Kind))
		b.seqs = append(b.seqs, int64(w.Seq))
		b.arrivals = append(b.arrivals, int64(w.Arrival))
		b.keys = append(b.keys, key)
		state := bytes.Clone(w.State)
		if state == nil {
			state = []byte{}
		}
		b.states = append(b.states, state)
	}
	b.name(w, to)
	to.partitions = append(to.partitions, int32(w.Partition))
	to.hashes = append(to.hashes, int64(w.Hash))
	to.digests = append(to.digests, digest(key))
	return nil
}

// name adds the number of the row's map, or notes that it has to be found.
func (b *batch) name(w *backing.Write, to *columns) {
	id, ok := b.names.id(w.Tenant, w.Map)
	if !ok {
		name := mapName{w.Tenant, strings.Clone(w.Map)}
		b.unnamed = append(b.unnamed, pending{name, to, len(to.maps)})
	}
	to.maps = append(to.maps, id)
}

// flush writes the rows and empties the batch.
func (b *batch) flush(ctx context.Context, tx pgx.Tx) error {
	for _, p := range b.unnamed {
		id, err := b.names.find(ctx, tx, p.name)
		if err != nil {
			return err
		}
		p.in.maps[p.at] = id
	}
	if len(b.put.maps) > 0 {
		_, err := tx.Exec(ctx, `insert into topgun_rows (map, partition, hash, key_digest, kind, seq, arrival, key, state)
			select * from unnest($1::int4[], $2::int4[], $3::int8[], $4::bytea[], $5::int2[], $6::int8[], $7::int8[], $8::bytea[], $9::bytea[])
			on conflict (map, partition, hash, key_digest) do update
			set kind = excluded.kind, seq = excluded.seq, arrival = excluded.arrival, key = excluded.key, state = excluded.state`,
			b.put.maps, b.put.partitions, b.put.hashes, b.put.digests, b.kinds, b.seqs, b.arrivals, b.keys, b.states)
		if err != nil {
			return err
		}
	}
	if len(b.del.maps) > 0 {
		_, err := tx.Exec(ctx, `delete from topgun_rows r
			using unnest($1::int4[], $2::int4[], $3::int8[], $4::bytea[]) as d (map, partition, hash, key_digest)
			where r.map = d.map and r.partition = d.partition and r.hash = d.hash and r.key_digest = d.key_digest`,
			b.del.maps, b.del.partitions, b.del.hashes, b.del.digests)
		if err != nil {
			return err
		}
	}
	b.reset()
	return nil
}

func (b *batch) reset() {
	for _, c := range []*columns{&b.put, &b.del} {
		clear(c.digests)
		c.maps, c.partitions, c.hashes, c.digests = c.maps[:0], c.partitions[:0], c.hashes[:0], c.digests[:0]
	}
	clear(b.keys)
	clear(b.states)
	b.kinds, b.seqs, b.arrivals, b.keys, b.states = b.kinds[:0], b.seqs[:0], b.arrivals[:0], b.keys[:0], b.states[:0]
	b.unnamed, b.bytes = b.unnamed[:0], 0
}

// mapName names a map.
type mapName struct {
	tenant uint32
	name   string
}

// nameTable numbers the maps. Numbers that a transaction gives out count once it
// is committed.
type nameTable struct{ known, fresh map[mapName]int32 }

func (t *nameTable) id(tenant uint32, name string) (int32, bool) {
	n := mapName{tenant, name}
	if id, ok := t.known[n]; ok {
		return id, true
	}
	id, ok := t.fresh[n]
	return id, ok
}

// find reads the number of a map, giving it one if it has none.
func (t *nameTable) find(ctx context.Context, tx pgx.Tx, n mapName) (int32, error) {
	if id, ok := t.id(n.tenant, n.name); ok {
		return id, nil
	}
	var id int32
	err := tx.QueryRow(ctx, `insert into topgun_maps (tenant, name) values ($1, $2)
		on conflict (tenant, sha256(name)) do nothing returning id`, int64(n.tenant), []byte(n.name)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, `select id from topgun_maps where tenant = $1 and sha256(name) = sha256($2)`,
			int64(n.tenant), []byte(n.name)).Scan(&id)
	}
	if err != nil {
		return 0, err
	}
	t.fresh[n] = id
	return id, nil
}

// keep makes the numbers of a committed transaction known.
func (t *nameTable) keep() {
	maps.Copy(t.known, t.fresh)
}
