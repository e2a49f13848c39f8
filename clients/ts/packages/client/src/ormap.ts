import { equal, formatTimestamp, type ORRecord } from '@topgun/core';
import type { Parts } from './feature.js';
import { check, copyOf, operations, optionsOf, stamped, type WriteOptions } from './handle.js';
import type { AnyReplica, ORReplica } from './replicas.js';
import { added, or, removed, visible } from './state.js';
import type { Write } from './write.js';

/**
 * A map whose keys hold sets of values. Adding and removing merge: a removal takes away what its author had seen, and no
 * more. Reading and writing touch the replica and return at once, connected or not.
 */
export class ORMapHandle<V = unknown> {
  readonly #parts: Parts;
  readonly #replica: ORReplica;

  /** @internal */
  constructor(parts: Parts, replica: ORReplica) {
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

  /** Resolves when replica and server have been compared; offline it waits for a connection. */
  sync(): Promise<void> {
    return this.#parts.syncs.of(this.#replica as AnyReplica)!.wait();
  }

  /** The set of a key, each value once, oldest first. */
  get(key: string): V[] {
    const out: V[] = [];
    for (const r of this.getRecords(key)) if (!out.some((v) => equal(v, r.value))) out.push(r.value);
    return out;
  }

  /** The records behind the values of a key, oldest first. */
  getRecords(key: string): ORRecord<V>[] {
    return visible(this.#replica.states.get(key), this.#parts.env.now()) as ORRecord<V>[];
  }

  /** Puts a value into the set of a key: whatever MessagePack holds. Throws as set of a MapHandle does. */
  add(key: string, value: V, options?: WriteOptions | number): Write {
    const how = optionsOf(options);
    const { admit, replicas, write } = this.#parts;
    check(key, how);
    const [copy, bytes] = copyOf(value);
    admit(1, bytes);
    const timestamp = replicas.stamp(undefined);
    const record = { ...stamped(copy, timestamp, how.ttlMs), tag: formatTimestamp(timestamp) };
    const [ops, handle] = operations(or, this.name, key, bytes, how, [[added(record), undefined]]);
    write(ops);
    return handle;
  }

  /** Takes a value out of the set of a key, as far as this client has seen it. If it is not there, there is nothing to do. */
  remove(key: string, value: V, options: WriteOptions = {}): Write {
    const { admit, env, write } = this.#parts;
    check(key, options);
    const seen = (this.#replica.states.get(key)?.live ?? []).filter((r) => equal(r.value, value));
    admit(seen.length, 0);
    const at = env.now();
    const list = seen.map((r) => [removed([r.tag], at), added(r)] as const);
    const [ops, handle] = operations(or, this.name, key, 0, options, list);
    write(ops);
    return handle;
  }

  /** All keys that have values, with their sets. */
  *entries(): IterableIterator<[string, V[]]> {
    for (const key of this.#replica.states.keys()) {
      const values = this.get(key);
      if (values.length) yield [key, values];
    }
  }

  *keys(): IterableIterator<string> {
    for (const [key] of this) yield key;
  }

  [Symbol.iterator](): IterableIterator<[string, V[]]> {
    return this.entries();
  }

  /** Calls back after changes with the map and the keys whose sets have changed. The result ends it. */
  subscribe(callback: (entries: Iterable<[string, V[]]>, changed: readonly string[]) => void): () => void {
    const keys = new Set<string>();
    const stop = this.#replica.watch({
      changed: (key) => keys.add(key),
      flush: () => {
        if (!keys.size) return;
        const changed = [...keys];
        keys.clear();
        this.#parts.flusher.call(() => callback(this, changed));
      },
    });
    return () => {
      stop();
      keys.clear();
    };
  }
}
