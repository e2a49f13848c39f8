import { decode, encode, isWellFormed, type messages, type Timestamp } from '@topgun/core';
import { messageOf, TopGunError } from './errors.js';
import { Op } from './oplog.js';
import type { Kind } from './state.js';
import { Write } from './write.js';

/** How a write is to be made. */
export interface WriteOptions {
  /** Hides the record after so many milliseconds; a whole number from 1 on. */
  readonly ttlMs?: number | undefined;
  /** How far the server has to come before it acknowledges: on its disk, if nothing is said. */
  readonly concern?: messages.WriteConcern | undefined;
}

/** A value as its peers will have it, and how many bytes it is. */
export function copyOf(value: unknown): [value: unknown, bytes: number] {
  try {
    const bytes = encode(value);
    return [decode(bytes), bytes.length];
  } catch (err) {
    throw new TopGunError('INVALID_VALUE', messageOf(err));
  }
}

/** Refuses a key or a time to live that cannot be sent. */
export function check(key: string, options: WriteOptions): void {
  if (typeof key !== 'string' || !isWellFormed(key)) throw new TopGunError('INVALID_KEY', `"${key}" is no key: use well-formed text`);
  const { ttlMs } = options;
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs > 0)) {
    throw new TopGunError('INVALID_VALUE', `${ttlMs} is no time to live: use whole milliseconds`);
  }
}

/** The options, also as existing applications give them: a number is a time to live. */
export function optionsOf(options: WriteOptions | number | undefined): WriteOptions {
  return typeof options === 'number' ? { ttlMs: options } : (options ?? {});
}

/** What a record has beside its value. */
export function stamped<V>(value: V, timestamp: Timestamp, ttlMs: number | undefined): { value: V; timestamp: Timestamp; ttlMs?: number } {
  return ttlMs === undefined ? { value, timestamp } : { value, timestamp, ttlMs };
}

/** The operations of one write: what each merges, and what to go back to. */
export function operations<S>(
  kind: Kind<S>,
  map: string,
  key: string,
  bytes: number,
  { concern }: WriteOptions,
  list: readonly (readonly [state: S, before: S | undefined])[],
): [Op[], Write] {
  const write = new Write(list.length);
  return [list.map(([state, before]) => new Op(kind, map, key, state, 64 + key.length + bytes, concern, write, before) as Op), write];
}
