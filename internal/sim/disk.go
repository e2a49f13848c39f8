package sim

import (
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sector is what a disk writes as a whole, or tears.
const sector = 512

// crashed is what a disk may hold after the power went away: everything that was
// synced, and of the rest any sectors, some of them torn. Files that were made or
// removed and not synced into their directory may be there or not.
func crashed(live *vfs.MemFS, dir string, r worldRandom) *vfs.MemFS {
	after := live.CrashClone(vfs.CrashCloneCfg{})
	keep := []int{0, 0, 500, 1000}[r.IntN(4)]
	names := append(list(live, dir), list(after, dir)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		path := live.PathJoin(dir, name)
		now, exists := contents(live, path)
		synced, existed := contents(after, path)
		switch {
		case !exists && r.chance(keep):
			must(after.Remove(path))
		case exists && (existed || r.chance(keep)):
			write(after, path, torn(synced, now, keep, r))
		}
	}
	d, err := after.OpenDir(dir)
	must(err)
	must(d.Sync())
	must(d.Close())
	return after
}

// torn lays some sectors of now over what was synced.
func torn(synced, now []byte, keep int, r worldRandom) []byte {
	out := slices.Clone(synced)
	for at := 0; at < len(now); at += sector {
		end := min(at+sector, len(now))
		if end <= len(synced) && string(synced[at:end]) == string(now[at:end]) || !r.chance(keep) {
			continue
		}
		if r.chance(100) {
			end = at + r.IntN(end-at)
		}
		if grow := end - len(out); grow > 0 {
			out = append(out, make([]byte, grow)...)
		}
		copy(out[at:end], now[at:end])
	}
	return out
}

func list(fsys *vfs.MemFS, dir string) []string {
	names, err := fsys.List(dir)
	must(err)
	return names
}

func contents(fsys *vfs.MemFS, path string) (b []byte, ok bool) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, false
	}
	b, err = io.ReadAll(f)
	must(err)
	must(f.Close())
	return b, true
}

func write(fsys *vfs.MemFS, path string, b []byte) {
	f, err := fsys.Create(path, vfs.WriteCategoryUnspecified)
	must(err)
	_, err = f.Write(b)
	must(err)
	must(f.Sync())
	must(f.Close())
}

// must is for the simulated disk, which does not fail by itself.
func must(err error) {
	if err != nil {
		panic("sim: " + err.Error())
	}
}
