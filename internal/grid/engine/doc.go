// Package engine is what services call: it carries operations and reads to the
// lanes that own their partitions and brings the answers back.
//
// Everything here is asynchronous. Do and the reads return at once; their
// callback runs once, on a lane, after the answer is durable, and must not
// block. Operations and reads submitted one after the other by one caller reach
// each partition in that order, so a caller reads its own writes.
//
// Admission is by credit: a caller reserves room for its operations before it
// submits them and is told to come again when there is none. That is where
// back-pressure starts; nothing behind it can be full.
//
// The engine also owns checkpoints: see Checkpointer.
package engine
