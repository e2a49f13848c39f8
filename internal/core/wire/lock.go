package wire

// LockRequest asks for a lock. It is answered by LOCK_GRANTED once the lock is
// free; there is no denial.
//
//wire:message LOCK_REQUEST payload c2s
type LockRequest struct {
	RequestID string     `wire:"requestId"`
	Name      string     `wire:"name"`
	TTL       Opt[int64] `wire:"ttl"` // ms of the lease
}

// LockGranted gives the lock to the client.
//
//wire:message LOCK_GRANTED payload s2c
type LockGranted struct {
	RequestID    string `wire:"requestId"`
	Name         string `wire:"name"`
	FencingToken int64  `wire:"fencingToken"` // grows with every grant of the name
}

// LockRelease gives the lock back. It succeeds if the token is that of the
// current grant.
//
//wire:message LOCK_RELEASE payload c2s
type LockRelease struct {
	RequestID    string     `wire:"requestId,omitempty"`
	Name         string     `wire:"name"`
	FencingToken Opt[int64] `wire:"fencingToken"`
}

// LockReleased answers LOCK_RELEASE.
//
//wire:message LOCK_RELEASED payload s2c
type LockReleased struct {
	RequestID string `wire:"requestId"` // empty if the request had none
	Name      string `wire:"name"`
	Success   bool   `wire:"success"`
}
