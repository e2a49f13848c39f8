// Package child runs parts of a benchmark in processes of their own, so that the
// system tells their processor time and memory apart.
//
// A child is this program, called with a hidden command. It writes PORT=<number>
// to its standard output when clients can connect. From then on it takes commands
// on its standard input, one a line, and answers each with one line of JSON on its
// standard output. The end of its input ends it, so no child outlives the
// benchmark.
package child
