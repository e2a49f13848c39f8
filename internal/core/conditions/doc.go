// Package conditions finds, among many conditions, those that may hold for a
// document, without evaluating the others.
//
//	e := index.Add(node, v)
//	index.Visit(key, doc, func(v T) bool { ... })
//	index.Remove(e)
//
// A condition is filed under something that has to be true of a document for it
// to hold: an attribute has one of some values (eq, in), lies in an interval (gt,
// gte, lt, lte, between), begins with a text (startsWith), has an element
// (contains, in), or is missing (isNull). Of an and it is the part that the
// fewest conditions are filed under so far, of an or all parts. What offers
// nothing of the kind is visited for every document. So Visit finds a few too
// many and never one too few; evaluating them is the caller's.
//
// Finding takes a lookup in the document for each attribute that conditions are
// filed under, and then a hash, a tree search, or a hash for each length of a
// beginning.
package conditions
