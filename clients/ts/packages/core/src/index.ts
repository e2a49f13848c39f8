/**
 * The data model of TopGun in the browser: what two replicas have to compute alike. Everything here is pure: no I/O, no
 * timers, no randomness, and the time is handed in.
 *
 * - Clock issues hybrid timestamps; LWWMap, ORMap and PNCounter merge what replicas wrote, in any order and any number
 *   of times, and keep the MerkleTree by which replicas find their differences.
 * - encode and decode are the MessagePack codec. Values that a replica keeps should have gone through both
 *   (`decode(encode(v))`), so that it holds what its peers will hold: a copy, without undefined, with well-formed texts.
 * - encodeMessage and decodeFrame go between messages and frames; the type of each message is in `messages`.
 * - isTimestamp, isLWWRecord and isORRecord look at what came from outside before it is merged.
 *
 * @packageDocumentation
 */
export { CodecError, maxDepth, type CodecErrorCode } from './codec.js';
export { decode, maxBytes } from './decode.js';
export { encode } from './encode.js';
export { canonical } from './canonical.js';
export { CountError, PNCounter, type CounterState } from './counter.js';
export { decodeFrame, encodeMessage, maxMessages } from './frame.js';
export { combine, hash, mix, partitionOf, partitions } from './hash.js';
export { Clock, compareTimestamps, formatTimestamp, isTimestamp, maxDrift, parseTimestamp, type Timestamp } from './hlc.js';
export { LWWMap, lwwHash } from './lww.js';
export { MerkleTree, merkleDepth, merkleLeaf, merklePath, merkleRange } from './merkle.js';
export type * as messages from './messages.gen.js';
export type { ClientMessage, ServerMessage } from './messages.gen.js';
export { ORMap, orHash, orText } from './or.js';
export { isExpired, isLWWRecord, isORRecord, type LWWRecord, type ORRecord } from './record.js';
export * from './query/index.js';
export { compareText, compareUnits, isWellFormed } from './text.js';
export { Ext, equal, isFields, type Value } from './value.js';
