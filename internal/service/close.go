package service

import (
	"fmt"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// CloseError ends a connection in an orderly way. Its code and reason are sent
// to the peer.
type CloseError struct {
	Code wire.CloseCode

	// Reason is a text for people of at most 123 bytes; what is longer is cut.
	// Empty means the text that belongs to Code.
	Reason string
}

// Error makes a CloseError an error.
func (e *CloseError) Error() string {
	return fmt.Sprintf("close %d: %s", e.Code, e.Text())
}

// Text is the reason to send.
func (e *CloseError) Text() string {
	if e.Reason == "" {
		return e.Code.Reason()
	}
	return e.Reason
}
