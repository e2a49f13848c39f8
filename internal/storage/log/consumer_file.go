package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The layout of docs/format/log.md.
const (
	placesName    = "consumers"
	placesTemp    = "consumers.new"
	placesMagic   = "TGLCON\r\n"
	placesVersion = 1
	placesHeader  = 24

	maxConsumers    = 64
	maxConsumerName = 128
	maxPlacesBytes  = placesHeader + maxConsumers*(10+maxConsumerName) + 4
)

// errBadPlaces is why a file of places is not believed.
var errBadPlaces = errors.New("log: file of the consumers' places")

func encodePlaces(id uint64, places []hold) []byte {
	b := append([]byte(nil), placesMagic...)
	b = binary.LittleEndian.AppendUint32(b, placesVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(places)))
	b = binary.LittleEndian.AppendUint64(b, id)
	for _, p := range places {
		b = binary.LittleEndian.AppendUint64(b, uint64(p.at))
		var whole byte
		if p.whole {
			whole = 1
		}
		b = append(b, whole, byte(len(p.name)))
		b = append(b, p.name...)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodePlaces(b []byte, id uint64) ([]hold, error) {
	bad := func(why string) ([]hold, error) { return nil, fmt.Errorf("%w: %s", errBadPlaces, why) }
	if len(b) < placesHeader+4 || string(b[:8]) != placesMagic {
		return bad("is not one")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return bad("checksum is wrong")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != placesVersion {
		return bad(fmt.Sprintf("version %d, this build reads %d", v, placesVersion))
	}
	if binary.LittleEndian.Uint64(b[16:]) != id {
		return bad("is that of another log")
	}
	var places []hold
	rest := body[placesHeader:]
	for range binary.LittleEndian.Uint32(b[12:]) {
		if len(rest) < 10 || len(rest) < 10+int(rest[9]) {
			return bad("is cut off")
		}
		n := 10 + int(rest[9])
		places = append(places, hold{name: string(rest[10:n]), at: LSN(binary.LittleEndian.Uint64(rest)), whole: rest[8] == 1})
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return bad("goes on behind its end")
	}
	return places, nil
}

// writePlaces replaces the file as a whole, and returns when that is durable.
func writePlaces(fsys vfs.FS, dir string, id uint64, places []hold) error {
	temp := fsys.PathJoin(dir, placesTemp)
	f, err := fsys.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(encodePlaces(id, places))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		_ = fsys.Remove(temp) // what is left of it means nothing
		return err
	}
	if err := fsys.Rename(temp, fsys.PathJoin(dir, placesName)); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

// readPlaces returns the places on disk. Without a file, or with one that cannot
// be believed, there are none: consumers then take a copy of the state, which
// costs time and nothing else. The error says why a file was not believed.
func readPlaces(fsys vfs.FS, dir string, id uint64) ([]hold, error) {
	f, err := fsys.Open(fsys.PathJoin(dir, placesName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Size() > maxPlacesBytes {
		return nil, errors.Join(fmt.Errorf("%w: has %d bytes", errBadPlaces, info.Size()), f.Close())
	}
	b := make([]byte, info.Size())
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, errors.Join(fmt.Errorf("read %d bytes: %w", len(b), err), f.Close())
	}
	places, err := decodePlaces(b, id)
	return places, errors.Join(err, f.Close())
}
