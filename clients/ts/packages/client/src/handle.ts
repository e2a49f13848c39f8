import { decode, encode, isWellFormed, type messages, type Timestamp } from '@topgun/core';
import type { Environment } from './environment.js';
import { messageOf, TopGunError } from './errors.js';
import type { Flusher } from './flush.js';
import { Op, type Doing } from './oplog.js';
import type { AnyReplica, Replicas } from './replicas.js';
import { Write } from './write.js';

/** How a write is to be made. */
export interface WriteOptions {
  /** Hides the record after so many milliseconds; a whole number from 1 on. */
  readonly ttlMs?: number | undefined;
  /** How far the server has to come before it acknowledges: on its disk, if nothing is said. */
  readonly concern?: messages.WriteConcern | undefined;
}

/** What the handles of maps need of the client. */
export interface MapParts {
  readonly env: Environment;
  readonly replicas: Replicas;
  readonly flusher: Flusher;
  /** Refuses operations that cannot be taken. */
  admit(operations: number, bytes: number): void;
  /** Takes operations that were admitted. */
  write(ops: readonly Op[]): void;
  /** Waits until replica and server have been compared. */
  sync(r: AnyReplica): Promise<void>;
  /** Waits until what is stored has been read. */
  loaded(r: AnyReplica): Promise<void>;
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
  if (typeof key !== 'string' || !isWellFormed(key)) throw new TopGunError('INVALID_KEY', `${JSON.stringify(key)} is no key: use a well-formed text`);
  const { ttlMs } = options;
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs > 0)) {
    throw new TopGunError('INVALID_VALUE', `a time to live of ${ttlMs} ms is none: use a whole number from 1 on`);
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

/** The operations of one write. */
export function operations(map: string, key: string, bytes: number, list: readonly [Partial<Doing>, Op['before']][]): [Op[], Write] {
  const write = new Write(list.length);
  const size = 64 + key.length + bytes;
  return [list.map(([doing, before]) => new Op({ map, key, ...doing }, size, write, before)), write];
}
