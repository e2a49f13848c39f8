// Package mistake makes the server wrong on purpose, one way at a time, so that
// tests can show that they would notice.
//
// Built without the tag "mistakes" every name here is the constant false, and
// the compiler removes what stands behind it. Built with the tag, the one named
// by the environment variable TOPGUN_MISTAKE is true. Only tests build with the
// tag.
package mistake
