// Package vectors_test checks the vector files of this directory: it reads each
// one, computes everything in it that follows from something else anew, and
// expects the same bytes. With -rewrite, or GOLDEN=write in the environment, it
// writes the file instead. Any other implementation of the data model can do the
// same with the same files; README.md says how.
//
// crosscheck_test.go compares with vectors that were made elsewhere, where they
// are at hand.
package vectors_test
