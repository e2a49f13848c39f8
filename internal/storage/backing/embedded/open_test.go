package embedded

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/backing/backingtest"
)

// expect fails unless err is of the kind and names what it is about.
func expect(t *testing.T, what string, err, kind error, naming string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), naming) {
		t.Errorf("%s: %v, want %v naming %q", what, err, kind, naming)
	}
}

func TestAStoreIsOpenOnceInAProcess(t *testing.T) {
	for name, place := range map[string]struct {
		fs  vfs.FS
		dir string
	}{
		"memory": {vfs.NewMem(), "store"},
		"disk":   {vfs.Default, t.TempDir()},
	} {
		s, err := Open(place.fs, place.dir, quiet, Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(place.fs, place.dir, quiet, Options{})
		expect(t, name, err, backing.ErrLocked, place.dir)
		mustClose(t, s)
		s, err = Open(place.fs, place.dir, quiet, Options{})
		if err != nil {
			t.Fatalf("%s, after Close: %v", name, err)
		}
		mustClose(t, s)
	}
}

// holdEnv names the directory that a second process is to hold open.
const holdEnv = "TOPGUN_TEST_HOLD_STORE"

// TestHoldStore is the second process of the next test.
func TestHoldStore(t *testing.T) {
	dir := os.Getenv(holdEnv)
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	s, err := Open(vfs.Default, dir, quiet, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString("held\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

func TestAStoreIsOpenInOneProcess(t *testing.T) {
	dir := t.TempDir()
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldStore$")
	other.Env = append(os.Environ(), holdEnv+"="+dir)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != "held"; {
		continue
	}
	_, err = Open(vfs.Default, dir, quiet, Options{})
	expect(t, "while another process has it", err, backing.ErrLocked, dir)
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(vfs.Default, dir, quiet, Options{})
	if err != nil {
		t.Fatalf("after the other process: %v", err)
	}
	mustClose(t, s)
}

// putFile gives a file new content.
func putFile(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	if err := fsys.MkdirAll("store", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(fsys, "store", name, "new", []byte(content)); err != nil {
		t.Fatal(err)
	}
}

// filled returns a disk with a store of a few checkpoints, closed.
func filled(t *testing.T) (*vfs.MemFS, *history) {
	t.Helper()
	mem, hist := vfs.NewMem(), newHistory(rand.New(rand.NewPCG(9, 9)))
	s := mustOpen(t, mem, Options{still: true})
	for range 3 {
		hist.step(t, s, nil)
	}
	mustClose(t, s)
	return mem, hist
}

func TestOnlyItsOwnFormatIsOpened(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, vfs.FS){
		"a later version": func(t *testing.T, fsys vfs.FS) {
			t.Helper()
			putFile(t, fsys, formatName, "topgun-store 2\n")
		},
		"something else": func(t *testing.T, fsys vfs.FS) {
			t.Helper()
			putFile(t, fsys, formatName, "what?")
		},
		"no version but files": func(t *testing.T, fsys vfs.FS) {
			t.Helper()
			if err := fsys.Remove("store/" + formatName); err != nil {
				t.Fatal(err)
			}
		},
		"tables of a later pebble": func(t *testing.T, fsys vfs.FS) {
			t.Helper()
			putFile(t, fsys, "marker.format-version.000999.099", "")
		},
	} {
		mem, _ := filled(t)
		spoil(t, mem)
		before := list(t, mem)
		_, err := Open(mem, "store", quiet, Options{})
		expect(t, name, err, backing.ErrFormat, "store")
		if after := list(t, mem); after != before {
			t.Errorf("%s: the directory held\n%s\nand now holds\n%s", name, before, after)
		}
	}
}

// TestNobodyElsesFilesAreTouched pins that a database of somebody else, or any
// other directory, survives being mistaken for a store.
func TestNobodyElsesFilesAreTouched(t *testing.T) {
	mem := vfs.NewMem()
	db, err := pebble.Open("store", &pebble.Options{FS: mem, Logger: logger{log: quiet}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte("k"), []byte("v"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before := list(t, mem)
	_, err = Open(mem, "store", quiet, Options{})
	expect(t, "another database", err, backing.ErrFormat, "store")
	if after := list(t, mem); after != before {
		t.Errorf("the directory held\n%s\nand now holds\n%s", before, after)
	}
}

// list is the content of a disk but for times.
func list(t *testing.T, mem *vfs.MemFS) string {
	t.Helper()
	return mem.String()
}

func TestDamageIsFound(t *testing.T) {
	tables := func(t *testing.T, mem *vfs.MemFS) []string {
		t.Helper()
		names, err := mem.List("store")
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, name := range names {
			if tableName.MatchString("/" + name) {
				paths = append(paths, "store/"+name)
			}
		}
		return paths
	}
	t.Run("a table is gone", func(t *testing.T) {
		mem, _ := filled(t)
		if err := mem.Remove(tables(t, mem)[0]); err != nil {
			t.Fatal(err)
		}
		_, err := Open(mem, "store", quiet, Options{})
		expect(t, "Open", err, backing.ErrCorrupt, "store")
	})
	t.Run("a table is short", func(t *testing.T) {
		mem, _ := filled(t)
		shorten(t, mem, tables(t, mem)[0])
		_, err := Open(mem, "store", quiet, Options{})
		expect(t, "Open", err, backing.ErrCorrupt, "store")
	})
	t.Run("the manifest is gone", func(t *testing.T) {
		mem, _ := filled(t)
		names, err := mem.List("store")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, "MANIFEST") {
				if err := mem.Remove("store/" + name); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, err = Open(mem, "store", quiet, Options{})
		expect(t, "Open", err, backing.ErrCorrupt, "MANIFEST")
	})
	t.Run("a byte of each table is wrong", func(t *testing.T) {
		mem, hist := filled(t)
		for _, path := range tables(t, mem) {
			data, err := mem.UnsafeGetFileDataBuffer(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/8] ^= 1
		}
		s, err := Open(mem, "store", quiet, Options{still: true})
		if err != nil {
			expect(t, "Open", err, backing.ErrCorrupt, "store")
			return
		}
		_, err = backingtest.Collect(t.Context(), s, backing.Range{})
		expect(t, "Scan", err, backing.ErrCorrupt, "")
		found := 0
		for _, row := range hist.models[3].Rows(backing.Range{}) {
			if _, _, err := s.Load(t.Context(), row.Key); errors.Is(err, backing.ErrCorrupt) {
				found++
			}
		}
		if found == 0 {
			t.Error("Load found no damage")
		}
		mustClose(t, s)
	})
}

// shorten cuts the last byte off a file.
func shorten(t *testing.T, mem *vfs.MemFS, path string) {
	t.Helper()
	data, err := readFile(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, mem, strings.TrimPrefix(path, "store/"), string(data[:len(data)-1]))
}

// TestFaultsWhileOpening lets the disk fail at every operation of an Open, of a
// new store and of one that is there, and tries again without the fault.
func TestFaultsWhileOpening(t *testing.T) {
	for _, c := range faults {
		for _, fresh := range []bool{true, false} {
			for n, more := int64(0), true; more; n++ {
				mem, hist := filled(t)
				want := int64(3)
				if fresh {
					mem, want = vfs.NewMem(), 0
				}
				disk := &fault{}
				disk.arm(c.disk, n, nil)
				s, err := Open(errorfs.Wrap(mem, disk), "store", quiet, Options{still: true})
				more = disk.failed.Load() > 0
				disk.heal()
				if err == nil {
					mustClose(t, s)
				} else {
					expect(t, "Open on a faulty disk", err, c.want, "store")
				}
				s = mustOpen(t, mem, Options{still: true})
				if _, err := hist.verify(t, s, want, want); err != nil {
					t.Fatalf("fault at write %d of Open: %v", n, err)
				}
				mustClose(t, s)
			}
		}
	}
}

func TestReadFaultsAreNotDamage(t *testing.T) {
	mem, _ := filled(t)
	broken := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt {
			return syscall.EIO
		}
		return nil
	})
	_, err := Open(errorfs.Wrap(mem, broken), "store", quiet, Options{})
	expect(t, "Open", err, backing.ErrIO, "store")
}

func TestOpenSaysWhatIsWrongWithItsOptions(t *testing.T) {
	opt := Options{CacheBytes: -1, CompactDepth: 5, MaxDepth: 5, Compression: 9}
	_, err := Open(vfs.NewMem(), "store", quiet, opt)
	for _, word := range []string{"CacheBytes", "MaxDepth", "Compression"} {
		expect(t, "Open", err, backing.ErrInvalid, word)
	}
}

func TestADirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(vfs.Default, filepath.Join(file, "store"), quiet, Options{})
	expect(t, "below a file", err, backing.ErrIO, file)
	_, err = Open(vfs.Default, file, quiet, Options{})
	expect(t, "at a file", err, backing.ErrIO, file)
}
