package service

import (
	"fmt"
	"slices"

	"github.com/topgunbuild/topgun-go/internal/core/wire"
)

// Service is one capability.
type Service interface {
	// Handles lists the types of messages that Handle takes.
	Handles() []wire.Type

	// Handle carries out a message of an authenticated caller. Calls of one
	// session come one after the other, in the order of its messages; sessions
	// call concurrently. It does not block. size is the length of the frame that
	// the message aliases.
	//
	// An error is ErrBusy, or an *Error that is sent as ERROR, or any other,
	// which is sent as an ERROR with the code of CodeOf.
	Handle(c *Caller, m wire.Message, size int) error

	// Leave forgets everything about a caller whose session has ended. It is
	// called once, after the last Handle.
	Leave(c *Caller)
}

// Registry finds the service of a message.
type Registry struct {
	byType   [wire.Types + 1]Service
	services []Service
}

// Add registers a service. Two services for one type are a mistake in the
// program, and panic.
func (r *Registry) Add(s Service) {
	r.services = append(r.services, s)
	for _, t := range s.Handles() {
		if r.byType[t] != nil {
			panic(fmt.Sprintf("service: %v has two services", t))
		}
		r.byType[t] = s
	}
}

// Find returns the service of a type, nil when there is none.
func (r *Registry) Find(t wire.Type) Service { return r.byType[t] }

// Leave tells every service that a caller is gone, last registered first.
func (r *Registry) Leave(c *Caller) {
	for _, s := range slices.Backward(r.services) {
		s.Leave(c)
	}
}
