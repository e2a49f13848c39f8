// Package document says what queries see of a record: one value in which
// attributes are looked up, made of the state of any kind of map. Servers and
// clients that answer queries share it.
package document
