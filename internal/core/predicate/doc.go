// Package predicate filters records: it parses the conditions that clients and
// policies write, compiles them, and evaluates them on encoded documents.
//
//	node, err := predicate.Parse(raw)       // or ParseWhere, or a tree made by hand
//	prog, err := predicate.Compile(node, predicate.Env{Auth: claims})
//	ok := prog.Match(key, doc)
//
// A Node is the tree as written, for planners to read. Bind replaces what is
// known about the caller by literals, so that a rule becomes an ordinary
// condition. Canonical gives equal conditions equal bytes, so that they can
// share state. A Program is immutable and safe for concurrent use; matching
// works on the bytes of the document and does not allocate, with the exceptions
// named at Match.
//
// # Rules
//
//   - An attribute is a path (value.Path); `_key` is the key of the record.
//   - A missing attribute is like nil. Comparisons, pattern and list operators
//     are false on nil, neq as well; only isNull, isNotNull, and, or and not
//     can be true of it.
//   - Numbers compare by value whatever their form; NaN is equal to nothing.
//     Strings compare as bytes, false before true. Values of different types
//     are unequal and in no order, and neither are two containers in any.
//   - A reference (auth.x, data.x, old.x, now) stands for what it finds. Where
//     that is nil or missing every comparison is false, neq as well: a claim
//     that a caller does not have grants nothing.
//   - like is anchored and ignores case; % stands for any run, _ for one
//     character. regex is RE2 syntax, not anchored. contains, containsAll and
//     containsAny look for equal elements in an array and for substrings,
//     ignoring case, in a string. startsWith and endsWith respect case.
//
// # Limits
//
// MaxNodes, MaxDepth, MaxList, MaxNeedles, MaxPattern and MaxRegexCost bound
// what is accepted, so that a condition costs memory in proportion to its
// encoding, and a match time in proportion to the product of condition and
// document. Every refusal is an *Error that names the place in the tree and
// matches ErrSyntax, ErrLimit or ErrUnsupported.
package predicate
