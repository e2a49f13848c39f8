// Package access finds the ways in which the records of a query can be found:
// from its condition, its order and the indexes that there are.
//
// Paths is a pure function. Which of the paths is cheapest is decided where the
// indexes are, by their exact counts: see Choose. Whatever path is taken, the
// records on it are tested again, so a path only has to lead to all of them.
package access
