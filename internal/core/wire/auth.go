package wire

// AuthRequired asks for AUTH. It is sent right after the connection opens if
// the server authenticates.
//
//wire:message AUTH_REQUIRED flat s2c
type AuthRequired struct {
	Reason string `wire:"reason,omitempty,text"` // ignored by clients
}

// Auth presents a token. It may come twice on one connection.
//
//wire:message AUTH flat c2s
type Auth struct {
	Token           string `wire:"token,token"`
	ProtocolVersion int64  `wire:"protocolVersion,omitempty"`
	DeviceToken     string `wire:"deviceToken,omitempty,token"`
}

// AuthAck accepts the token. A client resends its pending operations after
// every AUTH_ACK, so there is one per connection.
//
//wire:message AUTH_ACK flat s2c
type AuthAck struct {
	ProtocolVersion int64  `wire:"protocolVersion,omitempty"`
	UserID          string `wire:"userId,omitempty"`
	DeviceID        string `wire:"deviceId,omitempty"`
	DeviceToken     string `wire:"deviceToken,omitempty,token"` // only when a new one was made
}

// AuthFail refuses the token. The server closes the connection after it.
//
//wire:message AUTH_FAIL flat s2c
type AuthFail struct {
	Error string `wire:"error,omitempty,text"`
	Code  int64  `wire:"code,omitempty"`
}

// DeviceHello introduces a client without a token.
//
//wire:message DEVICE_HELLO flat c2s
type DeviceHello struct {
	DeviceToken string `wire:"deviceToken,omitempty,token"`
}

// DeviceAck gives the client its device identity.
//
//wire:message DEVICE_ACK flat s2c
type DeviceAck struct {
	DeviceID    string `wire:"deviceId,omitempty"`
	DeviceToken string `wire:"deviceToken,omitempty,token"` // only when a new one was made
}
