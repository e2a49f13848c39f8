import { isExpired, type LWWRecord } from '@topgun/core';
import { TopGunError } from './errors.js';
import type { Parts } from './feature.js';
import { check, copyOf, operations, optionsOf, stamped, type WriteOptions } from './handle.js';
import type { AnyReplica, LWWReplica } from './replicas.js';
import { lww, type LWWState } from './state.js';
import type { Write } from './write.js';

/** What happened to a key: its value now, undefined when there is none, and the value before. */
export interface MapChange<V> {
  readonly key: string;
  readonly value: V | undefined;
  readonly before: V | undefined;
}

/**
 * A map in which the latest write to a key wins, wherever it was made. Reading and writing touch the replica and return
 * at once, connected or not. Values are shared: do not modify what you get, write another one.
 */
export class MapHandle<V = unknown> {
  readonly #parts: Parts;
  readonly #replica: LWWReplica;

  /** @internal */
  constructor(parts: Parts, replica: LWWReplica) {
    this.#parts = parts;
    this.#replica = replica;
  }

  get name(): string {
    return this.#replica.name;
  }

  /** Resolves when what was stored here earlier is there to be read. */
  get loaded(): Promise<void> {
    return this.#replica.whenLoaded;
  }

  /** Resolves when everything that the server had at the call is here; offline it waits for a connection. */
  sync(): Promise<void> {
    return this.#parts.syncs.of(this.#replica as AnyReplica)!.wait();
  }

  get(key: string): V | undefined {
    return this.#visible(this.#replica.states.get(key));
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** The record behind a value, also the one that says that the key was removed. */
  getRecord(key: string): LWWRecord<V> | undefined {
    return this.#replica.states.get(key) as LWWRecord<V> | undefined;
  }

  /**
   * Writes a value: whatever MessagePack holds, not null. Throws a TopGunError, and then nothing was written:
   * INVALID_KEY, INVALID_VALUE, QUEUE_FULL, CLOSED.
   */
  set(key: string, value: V, options?: WriteOptions | number): Write {
    if (value === null || value === undefined) throw new TopGunError('INVALID_VALUE', 'null is no value of a map: use remove');
    return this.#write(key, value, optionsOf(options));
  }

  /** Removes a key, whether it is there or not. */
  remove(key: string, options?: WriteOptions): Write {
    return this.#write(key, null, options ?? {});
  }

  #write(key: string, value: unknown, options: WriteOptions): Write {
    const { admit, replicas, write } = this.#parts;
    check(key, options);
    const [copy, bytes] = copyOf(value);
    admit(1, bytes);
    const before = this.#replica.states.get(key);
    const record = stamped(copy, replicas.stamp(before?.timestamp), options.ttlMs);
    const [ops, handle] = operations(lww, this.name, key, bytes, options, [[record, before]]);
    write(ops);
    return handle;
  }

  /** How many keys there are; takes time in proportion to that. */
  get size(): number {
    let n = 0;
    for (const _ of this) n++;
    return n;
  }

  *entries(): IterableIterator<[string, V]> {
    for (const [key, state] of this.#replica.states) {
      const value = this.#visible(state);
      if (value !== undefined) yield [key, value];
    }
  }

  *keys(): IterableIterator<string> {
    for (const [key] of this) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.entries();
  }

  /**
   * Calls back after changes, whoever made them: with the map, to go through all entries, and with what has changed since
   * the last call, each key once. The result ends it. That a time to live has passed is no change.
   */
  subscribe(callback: (entries: Iterable<[string, V]>, changes: readonly MapChange<V>[]) => void): () => void {
    const before = new Map<string, LWWState | undefined>();
    const stop = this.#replica.watch({
      changed: (key, state) => {
        if (!before.has(key)) before.set(key, state);
      },
      flush: () => {
        if (!before.size) return;
        const changes = [...before].map(([key, state]) => ({ key, value: this.get(key), before: this.#visible(state) }));
        before.clear();
        this.#parts.flusher.call(() => callback(this, changes));
      },
    });
    return () => {
      stop();
      // Nothing more is told, also of what has changed already.
      before.clear();
    };
  }

  #visible(state: LWWState | undefined): V | undefined {
    return state && state.value !== null && !isExpired(state, this.#parts.env.now()) ? (state.value as V) : undefined;
  }
}
