import { isLWWRecord, isTimestamp, merkleRange, type messages, type ServerMessage, type Timestamp } from '@topgun/core';
import type { Parts } from './feature.js';
import type { Change, Replica } from './replica.js';
import type { AnyReplica, LWWReplica } from './replicas.js';
import { lww, type Kind, type LWWState } from './state.js';
import { Comparison, type Protocol } from './sync.js';

type Answer =
  | messages.ORMapSyncRespRoot['payload']
  | messages.SyncRespBuckets['payload']
  | messages.SyncRespLeaf['payload']
  | messages.ORMapSyncRespLeaf['payload'];

/** Keeps the replicas of open maps equal to the server's: by comparison after each connection, and by events. */
export class Syncs {
  readonly #p: Parts;
  readonly #comparisons = new Map<AnyReplica, Comparison>();

  constructor(parts: Parts) {
    this.#p = parts;
  }

  /** Keeps a replica up to date from now on. */
  follow(r: AnyReplica, protocol: Protocol = this.#protocol(r as LWWReplica)): void {
    const c = new Comparison(this.#p, r, protocol);
    this.#comparisons.set(r, c);
    c.start();
  }

  /** The comparison of a replica that is kept up to date. */
  of(r: AnyReplica | undefined): Comparison | undefined {
    return this.#comparisons.get(r!);
  }

  /** How many maps may lack something. */
  get unsettled(): number {
    let n = 0;
    for (const c of this.#comparisons.values()) n += +!c.settled;
    return n;
  }

  attached(): void {
    for (const c of this.#comparisons.values()) c.attached();
  }

  detached(): void {
    for (const c of this.#comparisons.values()) c.detached();
  }

  /** Compares a map again, if it is open. */
  again(map: string): void {
    for (const [r, c] of this.#comparisons) if (r.name === map) c.start();
  }

  /** Takes in a message, if it is about maps of this kind. */
  receive(m: ServerMessage): void {
    switch (m.type) {
      case 'SERVER_EVENT':
        return this.#event(m.payload);
      case 'SERVER_BATCH_EVENT':
        return m.payload.events.forEach((e) => this.#event(e));
      case 'GC_PRUNE':
        return this.#prune(m.payload.olderThan);
      case 'SYNC_RESET_REQUIRED': {
        const r = this.#p.replicas.find(lww, m.payload.mapName);
        if (!r) return;
        // The server has forgotten removals that it may lack.
        this.#p.replicas.empty(r);
        return this.of(r as AnyReplica)?.restart();
      }
      case 'SYNC_RESP_ROOT':
      case 'SYNC_RESP_BUCKETS':
      case 'SYNC_RESP_LEAF':
        return this.answer(lww, m.payload, (r) => this.#leaf(r, m.payload as messages.SyncRespLeaf['payload']));
    }
  }

  /** Takes in an answer to a comparison: a root, the hashes of children, or a leaf, of which leaf says what it led to. */
  answer<S>(kind: Kind<S>, m: Answer, leaf: (r: Replica<S>) => boolean): void {
    const r = this.#p.replicas.find(kind, m.mapName);
    const c = this.of(r as AnyReplica | undefined);
    if (!r || !c) return;
    if ('rootHash' in m) {
      const { timestamp, rootHash, fullResync } = m;
      if (!isTimestamp(timestamp)) return;
      this.#saw(timestamp);
      // It may lack removals that the server has forgotten. Additions that are too old are refused by the server, by name.
      if (fullResync) this.#p.replicas.empty(r);
      this.#p.replicas.began(r as AnyReplica, timestamp.millis);
      c.root(rootHash, timestamp, fullResync);
    } else if ('buckets' in m) c.buckets(m.path, m.buckets);
    else c.leaf(m.path, () => leaf(r));
  }

  #event({ mapName, key, record }: messages.Event): void {
    if (!isLWWRecord(record)) return;
    this.#saw(record.timestamp);
    if (this.#p.replicas.announced(mapName, key, record)) this.again(mapName);
  }

  /** The server's word on time is believed, also by a client whose own clock is wrong. */
  #saw(t: Timestamp): void {
    this.#p.clock.resume(t);
  }

  #protocol(r: LWWReplica): Protocol {
    const { link, replicas } = this.#p;
    const mapName = r.name;
    return {
      begin: () => link.send({ type: 'SYNC_INIT', mapName, lastSyncTimestamp: replicas.mark(r as AnyReplica) }),
      ask: (path) => link.send({ type: 'MERKLE_REQ_BUCKET', payload: { mapName, path } }),
      mine: (path) => this.#forget(r, below(r, path)),
      agreed: (at) => replicas.equal(r as AnyReplica, at.millis),
    };
  }

  #leaf(r: LWWReplica, { path, records }: messages.SyncRespLeaf['payload']): boolean {
    const changes: Change<LWWState>[] = [];
    const theirs = new Set<string>();
    for (const { key, record } of records) {
      if (!isLWWRecord(record)) continue;
      theirs.add(key);
      this.#saw(record.timestamp);
      changes.push({ key, merge: record });
    }
    const changed = this.#p.replicas.change(r, changes);
    return this.#forget(r, below(r, path).filter((key) => !theirs.has(key))) || changed;
  }

  #prune(olderThan: Timestamp): void {
    if (!isTimestamp(olderThan)) return;
    for (const r of this.#p.replicas.all()) {
      this.#forget(r, [...r.states.keys()], olderThan);
    }
  }

  /**
   * Forgets tombstones that the server has none of any more, all of the keys or those that are old; what waits to be sent
   * to it is not among them.
   */
  #forget<S>(r: Replica<S>, keys: readonly string[], olderThan?: Timestamp): boolean {
    const { log, replicas } = this.#p;
    const changes: Change<S>[] = [];
    for (const key of keys) {
      if (log.waits(r.name, key)) continue;
      for (const forget of r.kind.tombstones(r.states.get(key)!, olderThan)) changes.push({ key, forget });
    }
    return replicas.change(r, changes, true);
  }
}

/** The keys below a node of the tree. */
export function below<S>(r: Replica<S>, path: string): string[] {
  const { first, width } = merkleRange(path)!;
  const keys: string[] = [];
  for (let leaf = first; leaf < first + width; leaf++) keys.push(...r.keys(leaf));
  return keys;
}
