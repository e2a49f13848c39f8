package log

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/topgunbuild/topgun-go/internal/core/partition"
)

// A test payload is pairs of a partition, 2 bytes, and a sequence, 8 bytes, and
// then zeros.
func readPairs(dst []PartitionSeq, payload []byte) []PartitionSeq {
	for len(payload) >= 10 && payload[0] != 0 {
		dst = append(dst, PartitionSeq{partition.ID(payload[0]), binary.BigEndian.Uint64(payload[2:])})
		payload = payload[10:]
	}
	return dst
}

func TestSeekFindsEverySequenceThatIsRetained(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	opt := smallOptions()
	opt.Index = readPairs
	l := mustOpen(t, fsys, opt)
	rng := rand.New(rand.NewPCG(3, 4))
	type place struct {
		lsn LSN
		PartitionSeq
	}
	var all []place
	var seqs [10]uint64
	var reads int

	// checkAll seeks each sequence there was and follows it by replaying.
	checkAll := func(l *Log) (yes, no int) {
		t.Helper()
		_, oldest := l.spans()
		for _, p := range all {
			from, ok, err := l.Seek(p.Partition, p.Seq)
			if err != nil {
				t.Fatal(err)
			}
			if ok != (p.lsn > oldest) {
				t.Fatalf("seek %v at %d: %v, the log begins after %d", p.PartitionSeq, p.lsn, ok, oldest)
			}
			if !ok {
				no++
				continue
			}
			yes++
			found := false
			err = l.Replay(from, func(lsn LSN, payload []byte) error {
				if lsn > p.lsn {
					return errInjected
				}
				for _, q := range readPairs(nil, payload) {
					found = found || (lsn == p.lsn && q == p.PartitionSeq)
				}
				return nil
			})
			if !found {
				t.Fatalf("replay from %d does not find %v: %v", from, p.PartitionSeq, err)
			}
			if p.lsn-from > LSN(opt.SegmentBytes) {
				t.Fatalf("seek %v gives %d, its frame ends at %d", p.PartitionSeq, from, p.lsn)
			}
		}
		return yes, no
	}
	write := func(groups int) {
		for range groups {
			var payload []byte
			for range 1 + rng.IntN(3) {
				p := 1 + rng.IntN(9)
				seqs[p]++
				payload = append(payload, byte(p), 0)
				payload = binary.BigEndian.AppendUint64(payload, seqs[p])
			}
			lsn := put(t, l, string(append(payload, make([]byte, rng.IntN(500))...)))
			for _, q := range readPairs(nil, payload) {
				all = append(all, place{lsn, q})
			}
		}
	}
	write(100)
	if yes, no := checkAll(l); yes == 0 || no != 0 {
		t.Errorf("%d found, %d not", yes, no)
	}
	write(50)
	fsys.ask = func(k kind, _ string) verdict {
		if k == opRead {
			reads++
		}
		return proceed
	}
	_, _, _ = l.Seek(1, seqs[1]) // brings the index up to date
	reads = 0
	if _, ok, err := l.Seek(1, seqs[1]); !ok || err != nil || reads != 0 {
		t.Errorf("seek again: %v, %v, %d reads", ok, err, reads)
	}
	fsys.ask = nil
	checkAll(l)
	if err := l.DropBefore(all[len(all)/2].lsn); err != nil {
		t.Fatal(err)
	}
	if yes, no := checkAll(l); yes == 0 || no == 0 {
		t.Errorf("after a drop %d found, %d not", yes, no)
	}
	_ = l.Close()
	l = mustOpen(t, fsys, opt)
	write(20)
	checkAll(l)
	if _, ok, err := l.Seek(200, 1); ok || err != nil {
		t.Errorf("seek an unknown partition: %v, %v", ok, err)
	}
	if from, ok, err := l.Seek(1, seqs[1]+1000); !ok || err != nil || from >= l.Durable() {
		t.Errorf("seek a sequence to come: %d, %v, %v", from, ok, err)
	}
}

func TestSeekReportsADiskThatFails(t *testing.T) {
	fsys := newWorld(vfs.NewMem())
	opt := smallOptions()
	opt.Index = readPairs
	l := mustOpen(t, fsys, opt)
	put(t, l, "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01")
	fsys.ask = func(kind, string) verdict { return refuse }
	if _, _, err := l.Seek(1, 1); err == nil {
		t.Error("no error")
	}
	fsys.ask = nil
	if _, ok, err := l.Seek(1, 1); !ok || err != nil {
		t.Errorf("seek: %v, %v", ok, err)
	}
	if _, ok, err := mustOpen(t, vfs.NewMem(), Options{}).Seek(1, 1); ok || err != nil {
		t.Errorf("seek without an index: %v, %v", ok, err)
	}
}
