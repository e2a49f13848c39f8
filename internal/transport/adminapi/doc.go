// Package adminapi answers the operator's requests below /api/admin.
//
// Who may ask is decided once, in [API.ServeHTTP]: with authentication, a bearer
// token with the role admin (401 without a good token, 403 without the role);
// without it, anybody who reaches the server, which is this machine only unless
// the operator chose otherwise. A page of another origin is refused in either
// case. Whatever is not a success is answered with a [transport.Problem].
//
// The package starts no goroutine, and an API is safe for concurrent use once
// everything is mounted.
package adminapi
