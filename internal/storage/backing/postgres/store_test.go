package postgres_test

import (
	"os"
	"testing"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestSuite(t *testing.T) {
	backingtest.Run(t, func(t *testing.T) backingtest.Open {
		t.Helper()
		url := pgtest.Schema(t)
		return func() (backing.Store, error) { return postgres.Open(t.Context(), url, postgres.Options{}) }
	})
}
