package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Load implements backing.Store.
func (s *Store) Load(ctx context.Context, key backing.Key) (row backing.Row, found bool, err error) {
	what := fmt.Sprintf("load %v", key)
	err = s.read(ctx, what, func(ctx context.Context, conn *pgxpool.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		var kind int16
		var seq, arrival int64
		name := []byte(key.Key)
		err := conn.QueryRow(limited, `select r.kind, r.seq, r.arrival, r.state from topgun_rows r
			join topgun_maps m on m.id = r.map and m.tenant = $1 and sha256(m.name) = sha256($2)
			where r.partition = $3 and r.hash = $4 and r.key_digest = $5`,
			int64(key.Tenant), []byte(key.Map), int32(key.Partition), int64(key.Hash), digest(name)).
			Scan(&kind, &seq, &arrival, &row.State)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return classify(ctx, what, err)
		}
		found = true
		row.Key, row.Kind, row.Seq, row.Arrival = key, uint8(kind), uint64(seq), uint64(arrival)
		return nil
	})
	return row, found, err
}

// Scan implements backing.Store: pages of one snapshot.
func (s *Store) Scan(ctx context.Context, r backing.Range, fn func(backing.Row) (bool, error)) error {
	return s.read(ctx, "scan", func(ctx context.Context, conn *pgxpool.Conn) error {
		if r.Empty() {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		tx, err := conn.BeginTx(limited, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return classify(ctx, "scan", err)
		}
		defer func() {
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Timeout)
			defer cancel()
			_ = tx.Rollback(ending) // nothing was written
		}()
		// Pages come in the order of the index, however little PostgreSQL knows of
		// the table.
		if _, err := tx.Exec(limited, `set local enable_seqscan = off; set local enable_bitmapscan = off`); err != nil {
			return classify(ctx, "scan", err)
		}
		list, err := listMaps(limited, tx)
		if err != nil {
			return classify(ctx, "scan", err)
		}
		for _, m := range list {
			p, ok := partOf(r, m)
			if !ok {
				continue
			}
			if more, err := s.scanMap(ctx, tx, p, fn); err != nil || !more {
				return err
			}
		}
		return nil
	})
}

// The sizes of a page: it grows while pages are small, so that who stops early
// has not asked for much.
const (
	firstPage = 64
	maxPage   = 4096
	pageBytes = 1 << 20
)

// scanMap calls fn with the rows of one map, page by page.
func (s *Store) scanMap(ctx context.Context, tx pgx.Tx, p part, fn func(backing.Row) (bool, error)) (more bool, err error) {
	for limit := firstPage; ; {
		n, bytes, more, err := s.scanPage(ctx, tx, &p, limit, fn)
		if err != nil || !more {
			return false, err
		}
		if n < limit {
			return true, nil
		}
		if bytes < pageBytes {
			limit = min(2*limit, maxPage)
		} else {
			limit = max(limit/2, 1)
		}
	}
}

// scanPage calls fn with up to limit rows and moves the beginning of p behind
// them. Timeout is for all of the page, what fn takes included.
func (s *Store) scanPage(ctx context.Context, tx pgx.Tx, p *part, limit int, fn func(backing.Row) (bool, error)) (n, bytes int, more bool, err error) {
	where, args := p.where()
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	rows, err := tx.Query(limited, fmt.Sprintf(`select partition, hash, key, kind, seq, arrival, state from topgun_rows
		where %s order by partition, hash, key limit %d`, where, limit), args...)
	if err != nil {
		return 0, 0, false, classify(ctx, "scan", err)
	}
	defer rows.Close()
	var id int32
	var hash, seq, arrival int64
	var kind int16
	var key, state []byte
	for rows.Next() {
		if err := rows.Scan(&id, &hash, &key, &kind, &seq, &arrival, &state); err != nil {
			return n, bytes, false, classify(ctx, "scan", err)
		}
		if err := ctx.Err(); err != nil {
			return n, bytes, false, err
		}
		row := backing.Row{
			Key: backing.Key{
				Tenant: p.of.tenant, Map: p.of.name, Partition: partition.ID(id), Hash: uint32(hash),
				Key: unsafe.String(unsafe.SliceData(key), len(key)),
			},
			Kind: uint8(kind), Seq: uint64(seq), Arrival: uint64(arrival), State: state,
		}
		more, err := fn(row)
		if err != nil || !more {
			return n, bytes, false, err
		}
		n++
		bytes += len(key) + len(state)
	}
	if err := rows.Err(); err != nil {
		return n, bytes, false, classify(ctx, "scan", err)
	}
	if n > 0 {
		p.from = &place{id, hash, append([]byte{}, key...), true}
	}
	return n, bytes, true, nil
}

// namedMap is a map and its number.
type namedMap struct {
	mapName
	id int32
}

// listMaps returns the maps that ever had rows, in the order of keys.
func listMaps(ctx context.Context, tx pgx.Tx) ([]namedMap, error) {
	rows, err := tx.Query(ctx, `select id, tenant, name from topgun_maps`)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (namedMap, error) {
		var m namedMap
		var tenant int64
		var name []byte
		err := row.Scan(&m.id, &tenant, &name)
		m.tenant, m.name = uint32(tenant), string(name)
		return m, err
	})
	slices.SortFunc(list, func(a, b namedMap) int { return a.compare(b.mapName) })
	return list, err
}

func (n mapName) compare(o mapName) int {
	return cmp.Or(cmp.Compare(n.tenant, o.tenant), strings.Compare(n.name, o.name))
}

// Maps implements backing.Store; its counts are exact.
func (s *Store) Maps(ctx context.Context) (list []backing.MapInfo, err error) {
	const what = "list the maps"
	err = s.read(ctx, what, func(ctx context.Context, conn *pgxpool.Conn) error {
		limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
		defer cancel()
		rows, err := conn.Query(limited, `select m.tenant, m.name, n.rows,
				(select kind from topgun_rows where map = m.id order by partition, hash, key limit 1)
			from topgun_maps m join (select map, count(*) as rows from topgun_rows group by map) n on n.map = m.id`)
		if err != nil {
			return classify(ctx, what, err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (backing.MapInfo, error) {
			var tenant, count int64
			var name []byte
			var kind int16
			err := row.Scan(&tenant, &name, &count, &kind)
			return backing.MapInfo{Tenant: uint32(tenant), Map: string(name), Kind: uint8(kind), Rows: uint64(count), Exact: true}, err
		})
		return classify(ctx, what, err)
	})
	slices.SortFunc(list, func(a, b backing.MapInfo) int {
		return mapName{a.Tenant, a.Map}.compare(mapName{b.Tenant, b.Map})
	})
	return list, err
}
