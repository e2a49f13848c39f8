// Package maps carries out the operations of clients: OP_BATCH and CLIENT_OP.
//
// It is the only door through which a client's write enters the grid (law 7,
// ONE-DOOR). An operation that cannot be carried out is refused by itself; the
// others of its batch go on, and the acknowledgement covers both, so that no
// client is stuck behind a bad operation (protocol 00 §7.3). What cannot be
// carried out now is neither refused nor acknowledged: the session ends and the
// client delivers it again.
package maps
