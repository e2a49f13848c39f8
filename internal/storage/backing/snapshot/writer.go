package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Writer writes one snapshot. It is not safe for concurrent use. After an error
// the stream is not a snapshot and every further call fails.
type Writer struct {
	out      io.Writer
	offset   int64
	zstd     *zstd.Encoder
	kind     byte   // of the rows or frames gathered
	gathered []byte // not yet written
	packed   []byte
	check    backing.Checker
	trailer  Trailer
	err      error
}

// NewWriter begins a snapshot. Close has to be called for it to be one.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	h.Format = Version
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("snapshot: encode the header: %w", err)
	}
	w := &Writer{out: out, zstd: enc}
	w.write([]byte(magic))
	w.block(blockHeader, head)
	return w, w.err
}

// Row adds a row; rows are strictly ascending by key. It keeps nothing of it.
func (w *Writer) Row(r *backing.Row) error { return w.row(r, &w.trailer.Rows) }

// Keep names a key of an incremental snapshot whose row the base has. It stands
// where the row would.
func (w *Writer) Keep(k backing.Key) error {
	return w.row(&backing.Row{Key: k, Kind: kept}, &w.trailer.Kept)
}

func (w *Writer) row(r *backing.Row, count *uint64) error {
	if w.err == nil {
		w.fail(w.check.Row(&backing.Write{Row: *r}))
	}
	if w.begin(blockRows) {
		w.gathered = appendRow(w.gathered, r)
		*count++
		w.flushIfFull()
	}
	return w.err
}

// Frame adds a frame of the log. It keeps nothing of it.
func (w *Writer) Frame(lsn uint64, payload []byte) error {
	if w.begin(blockFrames) {
		w.gathered = binary.AppendUvarint(w.gathered, lsn)
		w.gathered = binary.AppendUvarint(w.gathered, uint64(len(payload)))
		w.gathered = append(w.gathered, payload...)
		w.trailer.Frames++
		w.flushIfFull()
	}
	return w.err
}

// Close ends the snapshot with what it reaches. It does not close the stream
// below.
func (w *Writer) Close(reached Positions, at int64) (Trailer, error) {
	w.flush()
	w.trailer.Reached, w.trailer.At = reached, at
	end, err := json.Marshal(w.trailer)
	w.fail(err)
	at0 := w.offset
	w.block(blockTrailer, end)
	foot := binary.LittleEndian.AppendUint64(make([]byte, 0, footBytes), uint64(at0))
	w.write(append(foot, footMagic...))
	w.fail(w.zstd.Close())
	return w.trailer, w.err
}

// begin makes kind what is gathered, and reports whether to go on.
func (w *Writer) begin(kind byte) bool {
	if w.kind != kind {
		w.flush()
		w.kind = kind
	}
	return w.err == nil
}

func (w *Writer) flushIfFull() {
	if len(w.gathered) >= flushBytes {
		w.flush()
	}
}

func (w *Writer) flush() {
	if len(w.gathered) == 0 || w.err != nil {
		return
	}
	w.packed = w.zstd.EncodeAll(w.gathered, w.packed[:0])
	w.block(w.kind, w.packed)
	w.gathered = w.gathered[:0]
}

func (w *Writer) block(kind byte, payload []byte) {
	head := make([]byte, blockHead)
	head[0] = kind
	binary.LittleEndian.PutUint32(head[4:], uint32(len(payload)))
	sum := crc32.Update(crc32.Checksum(head[:8], castagnoli), castagnoli, payload)
	binary.LittleEndian.PutUint32(head[8:], sum)
	w.write(head)
	w.write(payload)
}

func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	w.offset += int64(n)
	w.fail(err)
}

func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("write the snapshot: %w", err)
	}
}

func appendRow(b []byte, r *backing.Row) []byte {
	b = binary.AppendUvarint(b, uint64(r.Tenant))
	b = binary.AppendUvarint(b, uint64(len(r.Map)))
	b = append(b, r.Map...)
	b = binary.AppendUvarint(b, uint64(r.Partition))
	b = binary.LittleEndian.AppendUint32(b, r.Hash)
	b = binary.AppendUvarint(b, uint64(len(r.Key.Key)))
	b = append(b, r.Key.Key...)
	b = append(b, r.Kind)
	b = binary.AppendUvarint(b, r.Seq)
	b = binary.AppendUvarint(b, r.Arrival)
	b = binary.AppendUvarint(b, uint64(len(r.State)))
	return append(b, r.State...)
}
