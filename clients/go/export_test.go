package topgun

// Root is the root of the replica's tree, for tests that compare replicas.
func (m *Map[T]) Root() uint32 {
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	return m.replica.tree.Root()
}

// Root is the root of the replica's tree, for tests that compare replicas.
func (m *ORMap[T]) Root() uint32 {
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	return m.replica.tree.Root()
}

// Waiting is the number of calls of Sync that have not returned.
func (m *Map[T]) Waiting() int {
	m.client.mu.Lock()
	defer m.client.mu.Unlock()
	return len(m.replica.sync.waits)
}

// Replicas is the number of maps that the client has opened.
func (c *Client) Replicas() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lww) + len(c.or)
}
