// Package arch holds the rules of the house, as tests: nothing here is part of
// the product.
//
// A rule is in this package when a reader of one file cannot see that it is
// broken: what may import what (layers.txt), that core is pure, who may start a
// goroutine, that each promise in INVARIANTS.md has its test, that documents
// point at things that exist. Each failure says what to do instead.
//
// A rule reads source text and nothing else, so it sees every build tag and
// works while a package does not compile. Each is a function over parsed source,
// and a test beside it shows that the function finds what it is meant to find.
// A rule that nobody would defend in a review should go.
package arch
