// Package service holds what the capabilities of the server have in common: who
// calls (Caller), how messages find their service (Registry), in what order
// acknowledgements leave (Order), and how a refusal is said (Error).
//
// Each capability is a package of its own below this one. Services know the grid
// and this package; they do not know each other, sessions or transports, and
// meet in internal/app.
package service
