// Package program builds the real program for tests and runs it as others do:
// a process of its own, of which nothing is known but its PORT line, what it
// writes and how it ends. What is to be said of these is for the tests.
package program
