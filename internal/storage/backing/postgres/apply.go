package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/mistake"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Apply implements backing.Store.
func (s *Store) Apply(ctx context.Context, rows iter.Seq[backing.Write], mark backing.Mark) error {
	var n, bytes uint64
	return s.checkpoint(ctx, "write a checkpoint", mark, func(tx pgx.Tx, names *nameTable) (uint64, uint64, error) {
		if rows == nil {
			return 0, 0, nil
		}
		var check backing.Checker
		b := batch{limit: s.opt.BatchRows, limitBytes: s.opt.BatchBytes, names: names}
		for w := range rows {
			if err := ctx.Err(); err != nil {
				return 0, 0, err
			}
			if err := check.Row(&w); err != nil {
				return 0, 0, err
			}
			n++
			bytes += uint64(len(w.Map) + len(w.Key.Key) + len(w.State))
			if err := b.add(&w, func() error { return s.flush(ctx, tx, &b) }); err != nil {
				return 0, 0, err
			}
		}
		return n, bytes, s.flush(ctx, tx, &b)
	})
}

func (s *Store) flush(ctx context.Context, tx pgx.Tx, b *batch) error {
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	return b.flush(limited, tx)
}

// Clear implements backing.Store.
func (s *Store) Clear(ctx context.Context, ranges []backing.Range, mark backing.Mark) error {
	return s.checkpoint(ctx, "clear", mark, func(tx pgx.Tx, _ *nameTable) (uint64, uint64, error) {
		list, err := listMaps(ctx, tx)
		if err != nil {
			return 0, 0, err
		}
		for _, r := range backing.Union(ranges) {
			for _, m := range list {
				p, ok := partOf(r, m)
				if !ok {
					continue
				}
				where, args := p.where()
				if _, err := tx.Exec(ctx, `delete from topgun_rows where `+where, args...); err != nil {
					return 0, 0, err
				}
			}
		}
		return 0, 0, nil
	})
}

// checkpoint runs fn and moves the mark in one transaction, which only the owner
// of the database can commit. fn reports rows and bytes written.
func (s *Store) checkpoint(
	ctx context.Context, what string, mark backing.Mark, fn func(tx pgx.Tx, names *nameTable) (rows, bytes uint64, err error),
) error {
	err := s.write(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := s.take(ctx, conn, false); err != nil {
			return err
		}
		names := &nameTable{known: s.names, fresh: map[mapName]int32{}}
		var rows, bytes uint64
		var serial int64
		err := s.transact(ctx, conn, func(tx pgx.Tx) error {
			var err error
			if serial, err = s.advance(ctx, tx, mark); err != nil {
				return err
			}
			rows, bytes, err = fn(tx, names)
			return err
		})
		if err != nil {
			return err
		}
		s.serial = serial
		names.keep()
		s.rows.Add(rows)
		s.bytes.Add(bytes)
		s.measure(ctx, conn, s.checkpoints.Add(1))
		return nil
	})
	if err != nil && !errors.Is(err, backing.ErrClosed) {
		s.failures.Add(1)
	}
	return classify(ctx, what, err)
}

// undoWithin is how long a transaction that failed may take to say so to
// PostgreSQL; after that its session ends, and the transaction with it.
const undoWithin = time.Second

// transact runs fn in a transaction.
func (s *Store) transact(ctx context.Context, conn *pgx.Conn, fn func(tx pgx.Tx) error) error {
	starting, started := context.WithTimeout(ctx, s.opt.Timeout)
	defer started()
	tx, err := conn.BeginTx(starting, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done { // a panic of the caller's rows included
			undoing, undone := context.WithTimeout(context.WithoutCancel(ctx), undoWithin)
			defer undone()
			_ = tx.Rollback(undoing)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	done = true
	ending, ended := context.WithTimeout(ctx, s.opt.Timeout)
	defer ended()
	if err := tx.Commit(ending); err != nil {
		// Also when ctx has ended: what a call has done that was given up here
		// nobody knows.
		return fmt.Errorf("commit, with an outcome that is not known: %w: %v", kindOf(err), err) //nolint:errorlint // see above
	}
	return nil
}

// advance checks that this store may write, and moves the mark. It comes first,
// so that the row is locked until the transaction ends and nobody takes the
// database over in the middle. It returns the number of the transaction.
func (s *Store) advance(ctx context.Context, tx pgx.Tx, mark backing.Mark) (serial int64, err error) {
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	var fence, lsn int64
	var owner string
	var positions []byte
	err = tx.QueryRow(limited, `select fence, owner, lsn, positions, serial + 1 from topgun_store for update`).
		Scan(&fence, &owner, &lsn, &positions, &serial)
	if err != nil {
		return 0, err
	}
	if err := s.passed(limited, tx.Conn(), fence, serial-1); err != nil && !mistake.NoFence {
		return 0, err
	}
	if owner != s.owner {
		return 0, s.foreign(owner)
	}
	if s.rewound(ctx, serial-1) || !s.taken {
		return 0, fmt.Errorf("%w: the database has lost transactions", backing.ErrIO)
	}
	prev, err := readMark(lsn, positions)
	if err != nil {
		return 0, err
	}
	if err := mark.Follows(prev); err != nil {
		return 0, err
	}
	if mark.Equal(prev) {
		_, err = tx.Exec(limited, `update topgun_store set serial = $1`, serial)
	} else {
		_, err = tx.Exec(limited, `update topgun_store set serial = $1, lsn = $2, positions = $3`, serial, int64(mark.LSN), appendPositions([]byte{}, mark))
	}
	return serial, err
}

// measureEvery is after how many checkpoints the size of the tables is asked
// for.
const measureEvery = 32

// measure brings the size of the tables up to date, from time to time.
func (s *Store) measure(ctx context.Context, conn *pgx.Conn, checkpoints uint64) {
	if checkpoints%measureEvery != 1 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	var size int64
	if err := conn.QueryRow(limited, `select pg_total_relation_size('topgun_rows')`).Scan(&size); err == nil {
		s.diskSize.Store(uint64(size))
	}
}
