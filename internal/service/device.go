package service

// Device is a client installation, as the server recognises it across
// connections.
type Device struct {
	ID string

	// Token is the credential to hand out, empty when the client has it.
	Token string
}
