// Package group makes groups of records, and keeps their counts, sums, averages,
// least and greatest values while records come and go. Servers and clients that
// answer queries share it.
//
//	g, err := group.NewGrouping(query) // nil for a query without groups
//	set := group.NewSet(g)
//	gr := set.Put(key, doc, +1)
//	row := set.Value(gr)
//
// Sums are exact, so they do not drift, and do not depend on the order in which
// records come. A Set is not safe for concurrent use.
package group
