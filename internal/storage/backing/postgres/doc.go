// Package postgres is the backing store in a PostgreSQL database, version 13 or
// later.
//
// A checkpoint is one transaction: rows and mark. Tables are made and brought up
// to date by the migrations in this package when a store is opened;
// docs/format/postgres.md says what is in them.
//
// One server writes to a database. The session that writes is the one that holds
// an advisory lock, so a second server is refused while it lives. A session that
// breaks loses the lock; when it is taken again, and in every transaction, the
// fence in the database has to be the number that this store has raised it to.
// It does so before its first change, so a server that was cut off and replaced
// can never write again, whatever it believes.
//
// What was committed is durable if PostgreSQL is set up to make it so: a session
// whose synchronous_commit is off switches it on.
//
// Clear costs time in proportion to the rows that it removes.
package postgres
