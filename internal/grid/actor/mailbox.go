package actor

import "sync"

// Mailbox is a bounded queue with many writers and one reader, the actor that
// owns it. The reader takes everything that is there at once, so that a busy
// reader pays one lock for many messages.
type Mailbox[T any] struct {
	bell Bell

	// taken is what the last Take returned; the reader's alone.
	taken []T

	mu    sync.Mutex
	items []T
	limit int
}

// NewMailbox makes a mailbox that holds at most limit messages and rings bell
// when it turns non-empty.
func NewMailbox[T any](limit int, bell Bell) *Mailbox[T] {
	return &Mailbox[T]{limit: limit, bell: bell}
}

// Push appends v. It reports false, and does nothing, when the mailbox is full.
func (m *Mailbox[T]) Push(v T) bool {
	m.mu.Lock()
	if len(m.items) >= m.limit {
		m.mu.Unlock()
		return false
	}
	m.items = append(m.items, v)
	first := len(m.items) == 1
	m.mu.Unlock()
	if first {
		m.bell.Ring()
	}
	return true
}

// Take returns all messages in order; empty when there are none. The slice is
// valid until the next Take, which reuses its memory.
func (m *Mailbox[T]) Take() []T {
	clear(m.taken)
	m.mu.Lock()
	m.items, m.taken = m.taken[:0], m.items
	m.mu.Unlock()
	return m.taken
}

// Len is the number of messages waiting.
func (m *Mailbox[T]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}
