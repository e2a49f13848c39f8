package lane

import (
	"github.com/topgunbuild/topgun-go/internal/core/partition"
	"github.com/topgunbuild/topgun-go/internal/grid/records"
	"github.com/topgunbuild/topgun-go/internal/storage/backing"
	"github.com/topgunbuild/topgun-go/internal/storage/log"
	"github.com/topgunbuild/topgun-go/internal/storage/record"
)

// View is what a task sees of its lane during Step.
type View struct {
	lane *Lane
	now  records.Time
	fx   records.Effects

	weighed, weight int // how many changes of fx, and what they weigh

	task   Task    // being stepped
	parked *parked // the same, once it was parked
	stays  bool    // it is not done
}

// weigh is about how much the changes of the group take in the log.
func (v *View) weigh() int {
	for ; v.weighed < len(v.fx.Log); v.weighed++ {
		v.weight += weightOf(&v.fx.Log[v.weighed])
	}
	return v.weight
}

// Now is the time of the group.
func (v *View) Now() records.Time { return v.now }

// Do carries out one operation on the partition that owns its key. When the
// result's status is Asks, nothing was done and the task was parked; it has to
// carry the operation out in its next step.
func (v *View) Do(op *records.Op) records.Result {
	id := partition.Of(op.Hash)
	at := backing.Key{Map: op.Map, Partition: id, Key: op.Key}
	asked, ok := v.pass(at)
	if !ok {
		return records.Result{Status: records.Asks}
	}
	op.Asked = asked
	res := v.lane.replicas[id].Step(v.now, op, &v.fx)
	if res.Status == records.Asks {
		v.load(at, v.lane.shared.Find(op.Map), op.Hash)
	}
	return res
}

// Prefetched is how many operations have what they look up fetched together: that
// many fit into the caches, and more are not on their way at once.
const Prefetched = 32

// Prefetch has what some of the operations will look up fetched from memory, at
// most Prefetched of them; see record.Guess.
func (v *View) Prefetch(ops []records.Op, which []int) {
	if len(which) < 2 {
		return
	}
	var room [Prefetched]*record.Table
	tables := room[:len(which)]
	for k, i := range which {
		op := &ops[i]
		if t := v.lane.replicas[partition.Of(op.Hash)].Table(v.lane.shared.Find(op.Map)); t != nil {
			tables[k], op.Near = t, t.Approach(op.Hash)
		}
	}
	for k, i := range which {
		if t := tables[k]; t != nil {
			t.Open(ops[i].Near)
		}
	}
	for k, i := range which {
		if t := tables[k]; t != nil {
			ops[i].Near = t.Near(ops[i].Near, ops[i].Hash)
		}
	}
}

// Kept notes what the store has durably. What was kept from going may go now.
func (v *View) Kept(mark backing.Mark) {
	v.lane.evicting.pressed = false
	for _, r := range v.lane.replicas {
		if r == nil {
			continue
		}
		if pos := mark.Partitions[r.ID]; pos.Epoch == r.Epoch {
			r.Keep(pos.Seq)
		}
	}
}

// Sweep ends records whose time is over and reclaims tombstones on the lane; see
// records.Shared.
func (v *View) Sweep(confirmed int64, budget int) (more bool) {
	return v.lane.shared.Sweep(v.now, v.Replica, confirmed, budget, &v.fx)
}

// Shared is what the lane's replicas have in common.
func (v *View) Shared() *records.Shared { return v.lane.shared }

// Replica returns a partition of this lane, nil when another lane owns it.
func (v *View) Replica(id partition.ID) *records.Replica { return v.lane.replicas[id] }

// Replicas calls fn for every partition of the lane, in order.
func (v *View) Replicas(fn func(r *records.Replica) bool) {
	for _, r := range v.lane.replicas {
		if r != nil && !fn(r) {
			return
		}
	}
}

// LogEnd is where the log ends. Everything that this lane has appended lies
// before it, and everything that it will append lies behind.
func (v *View) LogEnd() log.LSN { return v.lane.log.End() }

// Stats counts what the lane has done.
func (v *View) Stats() Stats { return v.lane.stats }
