package postgres_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/topgunbuild/topgun-go/internal/core/hash"
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
)

const benchRows = 100_000

// benchWrites yields rows of 100 bytes in the order of the seam, which a table of
// one partition and rising hashes is.
func benchWrites(yield func(backing.Write) bool) {
	state := make([]byte, 100)
	for i := range benchRows {
		key := fmt.Sprintf("key-%08d", i)
		w := backing.Write{Row: backing.Row{
			Key:  backing.Key{Map: "m", Partition: partition.Of(hash.Key(key)), Key: key, Hash: uint32(i)},
			Kind: 1, Seq: uint64(i), State: state,
		}}
		w.Partition = 1
		if !yield(w) {
			return
		}
	}
}

// BenchmarkFloor copies the same rows into the same table without anything else:
// what PostgreSQL can take.
func BenchmarkFloor(b *testing.B) {
	url := pgtest.Schema(b)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	pgtest.Exec(b, url, `create table t (map int, partition int, hash bigint, digest bytea, key bytea, seq bigint, state bytea, primary key (map, partition, hash, digest))`)
	for b.Loop() {
		pgtest.Exec(b, url, `truncate t`)
		var rows [][]any
		for w := range benchWrites {
			rows = append(rows, []any{1, int32(w.Partition), int64(w.Hash), []byte(w.Key.Key), []byte(w.Key.Key), int64(w.Seq), w.State})
		}
		_, err := conn.CopyFrom(b.Context(), pgx.Identifier{"t"}, []string{"map", "partition", "hash", "digest", "key", "seq", "state"}, pgx.CopyFromRows(rows))
		if err != nil {
			b.Fatal(err)
		}
	}
	report(b)
}

func report(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkApply(b *testing.B) {
	for _, again := range []bool{false, true} {
		b.Run(map[bool]string{false: "new rows", true: "rows that are there"}[again], func(b *testing.B) {
			s := benchStore(b)
			for b.Loop() {
				if !again {
					if err := s.Clear(b.Context(), []backing.Range{{}}, backing.Mark{}); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Apply(b.Context(), benchWrites, backing.Mark{}); err != nil {
					b.Fatal(err)
				}
			}
			report(b)
		})
	}
}

func BenchmarkScan(b *testing.B) {
	s := benchStore(b)
	if err := s.Apply(b.Context(), benchWrites, backing.Mark{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		n := 0
		err := s.Scan(b.Context(), backing.Range{}, func(backing.Row) (bool, error) {
			n++
			return true, nil
		})
		if err != nil || n != benchRows {
			b.Fatal(n, err)
		}
	}
	report(b)
}

func benchStore(b *testing.B) *postgres.Store {
	b.Helper()
	s, err := postgres.Open(b.Context(), pgtest.Schema(b), postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}
