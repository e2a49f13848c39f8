package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
)

// Item is one thing in a snapshot: a row, or a frame of the log if Payload is
// not nil. What it refers to is valid until the next call of Next.
type Item struct {
	Row     backing.Row
	Kept    bool // the row is a key only, and is as the base has it
	LSN     uint64
	Payload []byte
}

// Reader reads a snapshot from one end to the other and checks it on the way.
// It is not safe for concurrent use.
type Reader struct {
	in      io.Reader
	offset  int64
	zstd    *zstd.Decoder
	header  Header
	trailer Trailer
	ended   bool

	kind   byte
	block  []byte // as it was read
	plain  []byte // decompressed
	rest   []byte // of plain, not yet handed out
	check  backing.Checker
	rows   uint64
	kept   uint64
	frames uint64
}

// NewReader reads the header. The reader holds no resources but in.
func NewReader(in io.Reader) (*Reader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	r := &Reader{in: in, zstd: dec}
	start := make([]byte, len(magic))
	if err := r.read(start); err != nil {
		return nil, err
	}
	if string(start) != magic {
		return nil, fmt.Errorf("%w: this is no snapshot of TopGun", ErrFormat)
	}
	kind, head, err := r.readBlock()
	if err != nil {
		return nil, err
	}
	if kind != blockHeader {
		return nil, corrupt("a block %q where the header should be", kind)
	}
	if err := json.Unmarshal(head, &r.header); err != nil {
		return nil, corrupt("the header: %v", err)
	}
	if r.header.Format != Version {
		return nil, fmt.Errorf("%w: format %d, this program reads %d", ErrFormat, r.header.Format, Version)
	}
	return r, nil
}

// Header says what the snapshot is.
func (r *Reader) Header() Header { return r.header }

// Trailer says how far it reaches, once Next has returned io.EOF.
func (r *Reader) Trailer() Trailer { return r.trailer }

// Next returns the next row or frame, and io.EOF at the end of a complete
// snapshot. Anything else matches ErrCorrupt or is the error of the stream.
func (r *Reader) Next() (Item, error) {
	for len(r.rest) == 0 {
		if r.ended {
			return Item{}, io.EOF
		}
		if err := r.nextBlock(); err != nil {
			return Item{}, err
		}
	}
	p := parser{b: r.rest}
	var it Item
	if r.kind == blockRows {
		it.Row = p.row()
		if it.Kept = it.Row.Kind == kept; it.Kept {
			r.kept++
		} else {
			r.rows++
		}
	} else {
		it.LSN = p.uvarint()
		it.Payload = p.bytes()
		r.frames++
	}
	if p.bad {
		return Item{}, corrupt("a block before byte %d does not decode", r.offset)
	}
	r.rest = p.b
	if it.Kept && (r.header.Full() || len(it.Row.State) > 0) {
		return Item{}, corrupt("a key without a row before byte %d", r.offset)
	}
	if it.Payload == nil {
		if err := r.check.Row(&backing.Write{Row: it.Row}); err != nil {
			return Item{}, corrupt("before byte %d: %v", r.offset, err)
		}
	}
	return it, nil
}

func (r *Reader) nextBlock() error {
	kind, payload, err := r.readBlock()
	if err != nil {
		return err
	}
	switch kind {
	case blockRows, blockFrames:
		if r.plain, err = r.zstd.DecodeAll(payload, r.plain[:0]); err != nil {
			return corrupt("the block before byte %d: %v", r.offset, err)
		}
		r.kind, r.rest = kind, r.plain
		return nil
	case blockTrailer:
		if err := json.Unmarshal(payload, &r.trailer); err != nil {
			return corrupt("the trailer: %v", err)
		}
		if t := r.trailer; t.Rows != r.rows || t.Kept != r.kept || t.Frames != r.frames {
			return corrupt("%d rows, %d keys and %d frames, the trailer says %d, %d and %d", r.rows, r.kept, r.frames, t.Rows, t.Kept, t.Frames)
		}
		foot := make([]byte, footBytes)
		if err := r.read(foot); err != nil {
			return err
		}
		if string(foot[8:]) != footMagic {
			return corrupt("the foot at byte %d", r.offset-footBytes)
		}
		if n, _ := io.ReadFull(r.in, foot[:1]); n > 0 {
			return corrupt("something follows at byte %d", r.offset)
		}
		r.ended = true
		return nil
	default:
		return corrupt("a block of unknown kind %q before byte %d", kind, r.offset)
	}
}

func (r *Reader) readBlock() (kind byte, payload []byte, err error) {
	var head [blockHead]byte
	if err := r.read(head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[4:])
	if n > maxBlock || head[1]|head[2]|head[3] != 0 {
		return 0, nil, corrupt("no block begins at byte %d", r.offset-blockHead)
	}
	if r.block, err = r.readSome(r.block[:0], int(n)); err != nil {
		return 0, nil, err
	}
	sum := crc32.Update(crc32.Checksum(head[:8], castagnoli), castagnoli, r.block)
	if sum != binary.LittleEndian.Uint32(head[8:]) {
		return 0, nil, corrupt("the checksum of the block before byte %d", r.offset)
	}
	return head[0], r.block, nil
}

// readSome reads n bytes. It takes memory as they arrive, so that a length that
// is a lie costs nothing.
func (r *Reader) readSome(b []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, 1<<20)
		from := len(b)
		if cap(b)-from < step {
			b = append(b, make([]byte, step)...)
		} else {
			b = b[:from+step]
		}
		if err := r.read(b[from:]); err != nil {
			return b, err
		}
		n -= step
	}
	return b, nil
}

func (r *Reader) read(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.offset += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt("it ends at byte %d, before its trailer", r.offset)
	}
	if err != nil {
		return fmt.Errorf("read the snapshot: %w", err)
	}
	return nil
}

// ReadTrailer reads how far the complete snapshot of size bytes reaches,
// without reading it all.
func ReadTrailer(in io.ReaderAt, size int64) (Trailer, error) {
	foot := make([]byte, footBytes)
	if size < footBytes {
		return Trailer{}, corrupt("%d bytes are too few", size)
	}
	if _, err := in.ReadAt(foot, size-footBytes); err != nil {
		return Trailer{}, fmt.Errorf("read the snapshot: %w", err)
	}
	at := int64(binary.LittleEndian.Uint64(foot))
	if string(foot[8:]) != footMagic || at < 0 || at > size-footBytes {
		return Trailer{}, corrupt("it has no foot, so it is not complete")
	}
	r := &Reader{in: io.NewSectionReader(in, at, size-footBytes-at), offset: at}
	kind, payload, err := r.readBlock()
	if err != nil {
		return Trailer{}, err
	}
	if kind != blockTrailer || r.offset != size-footBytes {
		return Trailer{}, corrupt("the foot does not point at the trailer")
	}
	var t Trailer
	if err := json.Unmarshal(payload, &t); err != nil {
		return Trailer{}, corrupt("the trailer: %v", err)
	}
	return t, nil
}

// parser takes values off the front of a block.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

// take returns the next n bytes, nil when there are fewer.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

// bytes is a length and so many bytes; never nil when it is good.
func (p *parser) bytes() []byte {
	v := p.take(p.uvarint())
	if v == nil && !p.bad {
		v = []byte{}
	}
	return v
}

func (p *parser) row() backing.Row {
	var r backing.Row
	r.Tenant = uint32(p.uvarint())
	r.Map = string(p.bytes())
	r.Partition = partition.ID(p.uvarint())
	if r.Partition >= partition.Count {
		p.bad = true
	}
	if h := p.take(4); h != nil {
		r.Hash = binary.LittleEndian.Uint32(h)
	}
	r.Key.Key = string(p.bytes())
	if k := p.take(1); k != nil {
		r.Kind = k[0]
	}
	r.Seq = p.uvarint()
	r.Arrival = p.uvarint()
	r.State = p.bytes()
	return r
}
