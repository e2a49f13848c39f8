package engine

import "sync"

// Credit bounds the operations that are on their way through the node. Callers
// reserve before they submit and return when they are answered.
type Credit struct {
	maxOps, maxBytes int

	mu         sync.Mutex
	ops, bytes int
	waiting    []func()
}

// Reserve takes room for ops operations that came in bytes bytes. When there is
// none it reports false and calls wake once, from another goroutine and without
// waiting for it, after some has been returned. Whatever its size, a request is
// granted when nothing else is under way.
func (c *Credit) Reserve(ops, bytes int, wake func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops > 0 && (c.ops+ops > c.maxOps || c.bytes+bytes > c.maxBytes) {
		c.waiting = append(c.waiting, wake)
		return false
	}
	c.ops += ops
	c.bytes += bytes
	return true
}

// Return gives room back.
func (c *Credit) Return(ops, bytes int) {
	c.mu.Lock()
	c.ops -= ops
	c.bytes -= bytes
	var waiting []func()
	if len(c.waiting) > 0 && c.ops <= c.maxOps/2 && c.bytes <= c.maxBytes/2 {
		waiting, c.waiting = c.waiting, nil
	}
	c.mu.Unlock()
	for _, wake := range waiting {
		wake()
	}
}

// Used reports what is under way.
func (c *Credit) Used() (ops, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ops, c.bytes
}

// wait calls wake after the next return of room, without reserving any.
func (c *Credit) wait(wake func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, wake)
}

// wakeAll wakes everyone who waits.
func (c *Credit) wakeAll() {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, wake := range waiting {
		wake()
	}
}
