package embedded

import "github.com/topgunbuild/topgun-go/internal/storage/backing"

// Stats implements backing.Store.
func (s *Store) Stats() backing.Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return backing.Stats{}
	}
	st := backing.Stats{
		Checkpoints: s.checkpoints.Load(),
		Rows:        s.rows.Load(),
		Bytes:       s.bytes.Load(),
		Failures:    s.failures.Load(),
		Recoveries:  s.recoveries.Load(),
		Waits:       s.waited.Load(),
	}
	if s.in == nil {
		return st
	}
	m := s.in.db.Metrics()
	st.DiskBytes = m.DiskSpaceUsage()
	st.PendingBytes = m.Compact.EstimatedDebt
	st.ReadDepth = m.ReadAmp()
	st.CacheHits = uint64(m.BlockCache.Hits)
	st.CacheMisses = uint64(m.BlockCache.Misses)
	return st
}
