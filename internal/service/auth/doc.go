// Package auth decides who a session is: JSON Web Tokens for principals, device
// credentials for installations (protocol 00 §4.4, §5).
//
// A device credential is "<device id>.<64 hex digits>". Only the SHA-256 of the
// secret is kept, in a map of the grid, by principal and device id. A client
// that presents none, or one that is not known, is given a new one; a device
// never decides whether a session is let in.
package auth
