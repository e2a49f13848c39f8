import { isTimestamp, type Timestamp } from './hlc.js';
import { isWellFormed } from './text.js';
import type { Value } from './value.js';

/** The record of a key in a last-writer-wins map. */
export interface LWWRecord<V = Value> {
  /** null is a tombstone: the key was removed at that time. */
  readonly value: V | null;
  readonly timestamp: Timestamp;
  /** How long after its timestamp the record is visible, in milliseconds; 0 and absent are for ever. */
  readonly ttlMs?: number;
}

/** One record of a key in an observed-remove map. */
export interface ORRecord<V = Value> {
  readonly value: V;
  readonly timestamp: Timestamp;
  /** Names the record in the whole map, for ever; not empty. The text of the timestamp by convention. */
  readonly tag: string;
  /** As in LWWRecord; but that it is there at all, also as 0, is part of the entry hash. */
  readonly ttlMs?: number;
}

/** Whether a record is hidden: its last visible millisecond is before now. It stays in its map and in the hashes. */
export function isExpired(record: { readonly timestamp: Timestamp; readonly ttlMs?: number }, now: number): boolean {
  return !!record.ttlMs && record.timestamp.millis + record.ttlMs < now;
}

/** Whether a value from outside is a record of a last-writer-wins map. Some servers send a ttl of null for none. */
export function isLWWRecord(v: unknown): v is LWWRecord {
  const r = v as LWWRecord | null | undefined;
  return isTimestamp(r?.timestamp) && (r!.ttlMs == null || Number.isSafeInteger(r!.ttlMs));
}

/** Whether a value from outside is a record of an observed-remove map. */
export function isORRecord(v: unknown): v is ORRecord {
  return isLWWRecord(v) && typeof (v as Partial<ORRecord>).tag === 'string' && (v as Partial<ORRecord>).tag !== '';
}

/** Refuses a key that would arrive as another one. */
export function checkKey(key: string): void {
  if (!isWellFormed(key)) throw new RangeError(`key ${JSON.stringify(key)}: has half of a surrogate pair`);
}

/** Adds a ttl to a record that has one; without one the property must be absent, not undefined. */
export function withTTL<R extends object>(record: R, ttlMs: number | undefined): R & { readonly ttlMs?: number } {
  return ttlMs === undefined ? record : { ...record, ttlMs };
}
