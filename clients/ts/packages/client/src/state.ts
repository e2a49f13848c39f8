import {
  compareTimestamps,
  compareUnits,
  formatTimestamp,
  isExpired,
  lwwHash,
  orHash,
  parseTimestamp,
  type LWWRecord,
  type ORRecord,
  type Timestamp,
} from '@topgun/core';

/** What a key of an LWW map holds. */
export type LWWState = LWWRecord<unknown>;

/** What a key of an OR map holds: records sorted by tag, and removed tags with the time of the removal in ms. */
export interface ORState {
  readonly live: readonly ORRecord<unknown>[];
  readonly removed: ReadonlyMap<string, number>;
}

/** A state in the form in which it is stored and sent to other tabs. */
export type Packed = readonly unknown[];

/**
 * What the kinds of maps do differently. States are immutable, and merging is commutative, associative and idempotent.
 */
export interface Kind<S> {
  /** The prefix of its pages in the storage. */
  readonly prefix: string;
  /** The entry hash in the Merkle tree. */
  hash(key: string, state: S): number;
  /** Both states merged; held itself when nothing changes. */
  merge(held: S | undefined, state: S): S;
  /** The state without what an id names: the timestamp of an LWW record, a tag of an OR map. */
  forget(held: S | undefined, id: string): S | undefined;
  /** The ids of all that is in it; none of nothing. */
  ids(state: S | undefined): string[];
  /** The greatest timestamp in it. */
  newest(state: S | undefined): Timestamp | undefined;
  /** The ids of the tombstones in it, all of them or those that are older than a time. */
  tombstones(state: S, olderThan?: Timestamp): string[];
  /** What an operation with this state says to the server; value is what the application wrote, if it did. */
  operation(state: S): Operation;
  /** The state that an operation had with another timestamp. Tags are those that were changed so far, and are added to. */
  restamp(state: S, timestamp: Timestamp, tags: Map<string, string>): S;
  pack(state: S): Packed;
  unpack(packed: Packed): S;
}

/** What is different between operations; of the last three one is there. */
export interface Operation {
  readonly opType: 'PUT' | 'REMOVE' | 'OR_ADD' | 'OR_REMOVE';
  readonly record?: LWWRecord<unknown>;
  readonly orRecord?: ORRecord<unknown>;
  readonly orTag?: string;
}

function packRecord(r: LWWRecord<unknown>): unknown[] {
  const { millis, counter, nodeId } = r.timestamp;
  const out = [r.value, millis, counter, nodeId];
  if (r.ttlMs !== undefined) out.push(r.ttlMs);
  return out;
}

/** Records of one writer lie together; they need not each have a text of their own for its name. */
let writer = '';

function unpackRecord(p: Packed): LWWRecord<unknown> {
  if (p[3] !== writer) writer = p[3] as string;
  const record = { value: p[0], timestamp: { millis: p[1] as number, counter: p[2] as number, nodeId: writer } };
  return p.length > 4 ? { ...record, ttlMs: p[4] as number } : record;
}

export const lww: Kind<LWWState> = {
  prefix: 'l',
  hash: (key, state) => lwwHash(key, state.timestamp),
  merge: (held, state) => (held && compareTimestamps(state.timestamp, held.timestamp) <= 0 ? held : state),
  forget: (held, id) => (held && formatTimestamp(held.timestamp) === id ? undefined : held),
  ids: (state) => (state ? [formatTimestamp(state.timestamp)] : []),
  newest: (state) => state?.timestamp,
  tombstones: (state, t) => (state.value !== null || (t && compareTimestamps(state.timestamp, t) >= 0) ? [] : lww.ids(state)),
  operation: (record) => ({ opType: record.value === null ? 'REMOVE' : 'PUT', record }),
  restamp: (record, timestamp) => ({ ...record, timestamp }),
  pack: packRecord,
  unpack: unpackRecord,
};

export const or: Kind<ORState> = {
  prefix: 'o',
  hash: (key, state) => orHash(key, state.live),
  merge(held, state) {
    if (!held) return state;
    const removed = new Map(held.removed);
    let changed = false;
    for (const [tag, at] of state.removed) {
      if (at >= (removed.get(tag) ?? Infinity)) continue;
      removed.set(tag, at);
      changed = true;
    }
    const live = new Map<string, ORRecord<unknown>>();
    for (const r of held.live) if (!removed.has(r.tag)) live.set(r.tag, r);
    for (const r of state.live) {
      const known = live.get(r.tag);
      if (removed.has(r.tag) || (known && compareTimestamps(r.timestamp, known.timestamp) <= 0)) continue;
      live.set(r.tag, r);
      changed = true;
    }
    return changed ? { live: [...live.values()].sort((a, b) => compareUnits(a.tag, b.tag)), removed } : held;
  },
  forget(held, id) {
    if (!held) return undefined;
    const removed = new Map(held.removed);
    removed.delete(id);
    const live = held.live.filter((r) => r.tag !== id);
    return live.length + removed.size ? { live, removed } : undefined;
  },
  ids: (state) => (state ? [...state.live.map((r) => r.tag), ...state.removed.keys()] : []),
  newest: (state) => state?.live.reduce<Timestamp | undefined>((t, r) => (t && compareTimestamps(t, r.timestamp) > 0 ? t : r.timestamp), undefined),
  tombstones: (state, t) => [...state.removed.keys()].filter((tag) => !t || isBefore(tag, t)),
  operation: ({ live: [orRecord], removed }) => (orRecord ? { opType: 'OR_ADD', orRecord } : { opType: 'OR_REMOVE', orTag: [...removed.keys()][0]! }),
  restamp({ live: [record], removed: tombstones }, timestamp, tags) {
    if (!record) return { live: [], removed: new Map([...tombstones].map(([tag, at]) => [tags.get(tag) ?? tag, at])) };
    const tag = formatTimestamp(timestamp);
    tags.set(record.tag, tag);
    return added({ ...record, timestamp, tag });
  },
  pack: (state) => [state.live.map((r) => [r.tag, ...packRecord(r)]), [...state.removed]],
  unpack: ([live, removed]) => ({
    live: (live as Packed[]).map((p) => ({ ...unpackRecord(p.slice(1)), tag: p[0] as string })),
    removed: new Map(removed as [string, number][]),
  }),
};

/** Whether a tag tells its time, and that is before another. */
function isBefore(tag: string, t: Timestamp): boolean {
  const own = parseTimestamp(tag);
  return !!own && compareTimestamps(own, t) < 0;
}

/** The state of an OR map's key with one record. */
export function added(record: ORRecord<unknown>): ORState {
  return { live: [record], removed: new Map() };
}

/** The state of an OR map's key with removed tags. */
export function removed(tags: Iterable<string>, at: number): ORState {
  return { live: [], removed: new Map([...tags].map((tag) => [tag, at])) };
}

/** The values that a key of an OR map shows, oldest first. */
export function visible(state: ORState | undefined, now: number): ORRecord<unknown>[] {
  return (state?.live ?? []).filter((r) => !isExpired(r, now)).sort((a, b) => compareTimestamps(a.timestamp, b.timestamp));
}
