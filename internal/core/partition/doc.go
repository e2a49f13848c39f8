// Package partition says which of the 271 partitions a key belongs to, which
// member holds which partition, and how that changes when members come or go.
//
// Of is part of the protocol: clients route by it. A Table is a value that all
// members share by version. Plan compares a table with the members there should
// be and returns the moves that lead to a balanced one; Table.Apply carries them
// out on the table. Moving data is somebody else's task.
//
// Everything here is pure and deterministic: equal tables and equal members give
// equal plans, on every node.
//
// Laws, with their tests in plan_test.go: after a plan has been applied every
// partition has an owner and as many backups as the members allow, all on
// different members; numbers of owned partitions, and of copies, differ by at
// most one between members; no plan with that balance changes fewer owners;
// planning again changes nothing.
package partition
