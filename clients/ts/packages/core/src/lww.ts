import { hash } from './hash.js';
import { compareTimestamps, formatTimestamp, type Timestamp } from './hlc.js';
import { MerkleTree } from './merkle.js';
import { checkKey, isExpired, withTTL, type LWWRecord } from './record.js';
import { equal, type Value } from './value.js';

/** The entry hash of a key in the Merkle tree of a last-writer-wins map. Value and ttl are no part of it. */
export function lwwHash(key: string, timestamp: Timestamp): number {
  return hash(`${key}:${formatTimestamp(timestamp)}`);
}

/**
 * A last-writer-wins map: of two records of a key the one with the greater timestamp stays, of equal ones that which was
 * there. Tombstones compete like values.
 *
 * Records and the values in them are shared with the caller and must not be modified.
 */
export class LWWMap<V = Value> {
  /** The hashes of all records; read it, the map writes it. */
  readonly tree = new MerkleTree();
  readonly #records = new Map<string, LWWRecord<V>>();

  /** How many records there are, tombstones and expired ones included. */
  get size(): number {
    return this.#records.size;
  }

  /** The value of a key that is visible at a time in milliseconds; undefined when there is none. */
  get(key: string, now: number): V | undefined {
    const r = this.#records.get(key);
    return r && r.value !== null && !isExpired(r, now) ? r.value : undefined;
  }

  /** The record of a key, tombstone or expired as it may be. */
  record(key: string): LWWRecord<V> | undefined {
    return this.#records.get(key);
  }

  /** All records in the order in which their keys came. */
  records(): IterableIterator<[string, LWWRecord<V>]> {
    return this.#records.entries();
  }

  /**
   * Writes a value, or null to remove the key, at a timestamp that this node's clock has just issued. Returns the
   * record, which is what peers have to get.
   */
  set(key: string, value: V | null, timestamp: Timestamp, ttlMs?: number): LWWRecord<V> {
    checkKey(key);
    const record = withTTL({ value, timestamp }, ttlMs);
    this.#put(key, record);
    return record;
  }

  /** Merges a record from elsewhere. Returns whether it replaced what was there. */
  merge(key: string, record: LWWRecord<V>): boolean {
    const local = this.#records.get(key);
    if (local && compareTimestamps(record.timestamp, local.timestamp) <= 0) return false;
    this.#put(key, record);
    return true;
  }

  /**
   * Merges a record that a server sends as news. It also replaces a newer one with the same value: that is how a server
   * tells the writer that it gave the write another timestamp. Returns whether it replaced what was there.
   */
  mergeEvent(key: string, record: LWWRecord<V>): boolean {
    if (this.merge(key, record)) return true;
    const local = this.#records.get(key)!;
    if (compareTimestamps(record.timestamp, local.timestamp) === 0 || !equal(record.value, local.value)) return false;
    this.#put(key, record);
    return true;
  }

  /** Forgets tombstones older than a timestamp. Returns their keys. */
  prune(olderThan: Timestamp): string[] {
    const keys: string[] = [];
    for (const [key, r] of this.#records) {
      if (r.value !== null || compareTimestamps(r.timestamp, olderThan) >= 0) continue;
      this.tree.update(key, lwwHash(key, r.timestamp), 0, -1);
      this.#records.delete(key);
      keys.push(key);
    }
    return keys;
  }

  /** Forgets everything. */
  clear(): void {
    this.#records.clear();
    this.tree.clear();
  }

  #put(key: string, record: LWWRecord<V>): void {
    const old = this.#records.get(key);
    this.tree.update(key, old ? lwwHash(key, old.timestamp) : 0, lwwHash(key, record.timestamp), old ? 0 : 1);
    this.#records.set(key, record);
  }
}
