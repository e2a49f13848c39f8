// Package servicetest makes the callers of services for their tests: sessions
// without a connection, which write down what they are sent.
package servicetest
