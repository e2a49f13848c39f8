import { canonical } from './canonical.js';
import { hash } from './hash.js';
import { compareTimestamps, formatTimestamp, type Timestamp } from './hlc.js';
import { MerkleTree, merklePath } from './merkle.js';
import { checkKey, isExpired, withTTL, type ORRecord } from './record.js';
import { compareUnits } from './text.js';
import { equal, type Value } from './value.js';

/** The text of which the entry hash of a key is the hash, given its live records sorted by tag; '' without any. */
export function orText(key: string, records: readonly ORRecord<unknown>[]): string {
  if (!records.length) return '';
  let text = `key:${key}`;
  for (const r of records) {
    text += `|${r.tag}:${canonical(r.value as Value)}:${formatTimestamp(r.timestamp)}`;
    if (r.ttlMs != null) text += `:ttl=${r.ttlMs}`;
  }
  return text;
}

/** The entry hash of a key in the Merkle tree of an observed-remove map; 0 without live records. */
export function orHash(key: string, records: readonly ORRecord<unknown>[]): number {
  return records.length ? hash(orText(key, records)) : 0;
}

/** What there is of a key. No tag is in both. */
interface Slot<V> {
  readonly live: Map<string, ORRecord<V>>;
  /** When each removed tag was removed, the earliest time known. */
  readonly removed: Map<string, number>;
  hash: number;
}

/**
 * An observed-remove map: each key has a set of records with tags that are never used again, and removing a tag wins over
 * adding it, whichever comes first.
 *
 * Records and the values in them are shared with the caller and must not be modified.
 */
export class ORMap<V = Value> {
  /** The hashes of all keys; read it, the map writes it. */
  readonly tree = new MerkleTree();
  readonly #slots = new Map<string, Slot<V>>();
  /** The keys by the path of their leaf, once somebody has asked for them. */
  #leaves: Map<string, string[]> | undefined;

  /** The keys, also those with nothing but removed tags, in the order in which they came. */
  keys(): IterableIterator<string> {
    return this.#slots.keys();
  }

  /** The keys in a leaf of the tree, given its path of three digits. */
  keysOfLeaf(path: string): readonly string[] {
    if (!this.#leaves) {
      this.#leaves = new Map();
      for (const key of this.#slots.keys()) this.#file(key);
    }
    return this.#leaves.get(path) ?? [];
  }

  /** The values of a key that are visible at a time in milliseconds, by tag. */
  values(key: string, now: number): V[] {
    return this.records(key)
      .filter((r) => !isExpired(r, now))
      .map((r) => r.value);
  }

  /** The live records of a key, expired ones included, sorted by tag in UTF-16 order. */
  records(key: string): ORRecord<V>[] {
    const live = this.#slots.get(key)?.live;
    return live ? [...live.values()].sort((a, b) => compareUnits(a.tag, b.tag)) : [];
  }

  /** The removed tags of a key and when each was removed, in milliseconds, sorted by tag in UTF-16 order. */
  tombstones(key: string): [tag: string, removedAt: number][] {
    return [...(this.#slots.get(key)?.removed ?? [])].sort((a, b) => compareUnits(a[0], b[0]));
  }

  /**
   * Adds a value at a timestamp that this node's clock has just issued. Returns the record, which is what peers have to
   * get; its tag is the text of the timestamp.
   */
  add(key: string, value: V, timestamp: Timestamp, ttlMs?: number): ORRecord<V> {
    checkKey(key);
    const record = withTTL({ value, timestamp, tag: formatTimestamp(timestamp) }, ttlMs);
    this.merge(key, record);
    return record;
  }

  /** Removes each record of a key that has this value. Returns their tags, which is what peers have to get. */
  remove(key: string, value: V, removedAt: number): string[] {
    const tags = this.records(key)
      .filter((r) => equal(r.value, value))
      .map((r) => r.tag);
    for (const tag of tags) this.removeTag(key, tag, removedAt);
    return tags;
  }

  /**
   * Merges a record from elsewhere: a removed tag stays removed, a known one takes the record only if it is newer.
   * Returns whether anything changed.
   */
  merge(key: string, record: ORRecord<V>): boolean {
    const slot = this.#slots.get(key);
    const known = slot?.live.get(record.tag);
    if (slot?.removed.has(record.tag) || (known && compareTimestamps(record.timestamp, known.timestamp) <= 0)) return false;
    this.#slot(key).live.set(record.tag, record);
    this.#changed(key);
    return true;
  }

  /**
   * Merges the removal of a tag at a time in milliseconds. A tag that is not known is remembered all the same: its
   * addition, should it come later, has no effect. Returns whether anything changed.
   */
  removeTag(key: string, tag: string, removedAt: number): boolean {
    const { live, removed } = this.#slot(key);
    const known = removed.get(tag);
    if (known !== undefined && known <= removedAt) return false;
    removed.set(tag, removedAt);
    live.delete(tag);
    this.#changed(key);
    return true;
  }

  /** Forgets the removed tags for which drop returns true, and keys of which nothing remains. Returns the tags by key. */
  prune(drop: (tag: string, removedAt: number) => boolean): Map<string, string[]> {
    const dropped = new Map<string, string[]>();
    for (const [key, { live, removed }] of this.#slots) {
      const tags = [...removed].filter(([tag, at]) => drop(tag, at)).map(([tag]) => tag);
      if (!tags.length) continue;
      dropped.set(key, tags);
      for (const tag of tags) removed.delete(tag);
      if (live.size + removed.size > 0) continue;
      this.tree.update(key, 0, 0, -1);
      this.#slots.delete(key);
      this.#leaves = undefined;
    }
    return dropped;
  }

  /** Forgets everything. */
  clear(): void {
    this.#slots.clear();
    this.#leaves = undefined;
    this.tree.clear();
  }

  #slot(key: string): Slot<V> {
    let slot = this.#slots.get(key);
    if (!slot) {
      slot = { live: new Map(), removed: new Map(), hash: 0 };
      this.#slots.set(key, slot);
      this.tree.update(key, 0, 0, 1);
      if (this.#leaves) this.#file(key);
    }
    return slot;
  }

  /** Puts a key into its leaf. */
  #file(key: string): void {
    const path = merklePath(key);
    const keys = this.#leaves!.get(path);
    if (keys) keys.push(key);
    else this.#leaves!.set(path, [key]);
  }

  #changed(key: string): void {
    const slot = this.#slots.get(key)!;
    const h = orHash(key, this.records(key));
    this.tree.update(key, slot.hash, h, 0);
    slot.hash = h;
  }
}
