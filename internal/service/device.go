package service

// Device is a client installation, as the server recognises it across
// connections.
type Device struct {
	ID string

	// Token is the credential to hand out, empty when the client has it.
	Token string
}

// Tracker remembers which devices take part in OR maps. What one of them may
// still send is not forgotten before it has confirmed that it does not.
type Tracker interface {
	// Track reports whether the caller's device is remembered. When it is not yet,
	// Caller.Wake is called as soon as that has changed.
	Track(c *Caller) bool
}
