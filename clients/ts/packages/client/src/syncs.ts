import { compareTimestamps, formatTimestamp, isLWWRecord, isORRecord, isTimestamp, parseTimestamp, type Clock, type messages, type ServerMessage, type Timestamp } from '@topgun/core';
import type { Parts } from './feature.js';
import type { Change } from './replica.js';
import type { AnyReplica, LWWReplica, ORReplica } from './replicas.js';
import { added, lww, or, removed, type LWWState, type ORState } from './state.js';
import { Comparison, type Protocol } from './sync.js';

/** The most entries of one push, and about the most records and tags. */
const pushEntries = 500;
const pushItems = 4000;

/** Keeps the replicas of open maps equal to the server's: by comparison after each connection, and by events. */
export class Syncs {
  readonly #p: Parts;
  readonly #clock: Clock;
  readonly #comparisons = new Map<AnyReplica, Comparison>();
  /** Of an OR map in comparison: what the server's answers cover. */
  readonly #covering = new Map<ORReplica, number>();
  /** What this installation has confirmed. */
  #epoch = 0;

  constructor(parts: Parts, clock: Clock) {
    this.#p = parts;
    this.#clock = clock;
  }

  start(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Keeps a replica up to date from now on. */
  follow(r: AnyReplica): Comparison {
    let c = this.#comparisons.get(r);
    if (!c) {
      const { env, link, log, changed } = this.#p;
      const protocol = r.kind.prefix === lww.prefix ? this.#lwwProtocol(r as LWWReplica) : this.#orProtocol(r as ORReplica);
      c = new Comparison(env, link, log, r, protocol, changed);
      this.#comparisons.set(r, c);
      c.start();
    }
    return c;
  }

  follows(r: AnyReplica): boolean {
    return this.#comparisons.has(r);
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

  loaded(r: AnyReplica): void {
    this.#comparisons.get(r)?.start();
  }

  /** Takes in a message, if it is about maps. */
  receive(m: ServerMessage): void {
    switch (m.type) {
      case 'SERVER_EVENT':
        return this.#event(m.payload);
      case 'SERVER_BATCH_EVENT':
        return m.payload.events.forEach((e) => this.#event(e));
      case 'GC_PRUNE':
        return this.#prune(m.payload.olderThan);
      case 'SYNC_RESET_REQUIRED':
        return this.#reset(m.payload.mapName);
      case 'SYNC_RESP_ROOT':
      case 'ORMAP_SYNC_RESP_ROOT':
        return this.#root(m.type === 'SYNC_RESP_ROOT' ? lww : or, m.payload);
      case 'SYNC_RESP_BUCKETS':
        return this.#of(lww, m.payload.mapName)?.[1].buckets(m.payload.path, m.payload.buckets);
      case 'ORMAP_SYNC_RESP_BUCKETS':
        return this.#of(or, m.payload.mapName)?.[1].buckets(m.payload.path, m.payload.buckets);
      case 'SYNC_RESP_LEAF': {
        const [r, c] = this.#of(lww, m.payload.mapName) ?? [];
        return c?.leaf(m.payload.path, () => this.#lwwLeaf(r!, m.payload.path, m.payload.records));
      }
      case 'ORMAP_SYNC_RESP_LEAF': {
        const [r, c] = this.#of(or, m.payload.mapName) ?? [];
        return c?.leaf(m.payload.path, () => this.#orLeaf(r!, m.payload.path, m.payload.entries));
      }
    }
  }

  #of(kind: typeof lww, map: string): [LWWReplica, Comparison] | undefined;
  #of(kind: typeof or, map: string): [ORReplica, Comparison] | undefined;
  #of(kind: typeof lww | typeof or, map: string): [AnyReplica, Comparison] | undefined;
  #of(kind: typeof lww | typeof or, map: string): unknown {
    const r = this.#p.replicas.find(kind as typeof lww, map) as AnyReplica | undefined;
    const c = r && this.#comparisons.get(r);
    return c && [r, c];
  }

  #event(e: messages.Event): void {
    const { replicas } = this.#p;
    if (e.record) {
      if (!isLWWRecord(e.record)) return;
      this.#saw(e.record.timestamp);
      if (replicas.announced(e.mapName, e.key, e.record)) this.again(e.mapName);
      return;
    }
    const r = replicas.find(or, e.mapName);
    if (!r) return;
    if (e.orRecord && isORRecord(e.orRecord)) {
      this.#clock.update(e.orRecord.timestamp);
      replicas.change(r, [{ key: e.key, merge: added(e.orRecord) }]);
    } else if (e.orTag) {
      replicas.change(r, [{ key: e.key, merge: removed([e.orTag], this.#p.env.now()) }]);
    }
  }

  /** The server's word on time is believed, also by a client whose own clock is wrong. */
  #saw(t: Timestamp): void {
    this.#clock.resume(t);
  }

  #root(kind: typeof lww | typeof or, m: messages.ORMapSyncRespRoot['payload']): void {
    const [r, c] = this.#of(kind, m.mapName) ?? [];
    if (!r || !isTimestamp(m.timestamp)) return;
    this.#saw(m.timestamp);
    if (kind === or) {
      // It may lack removals that the server has forgotten. Additions that are too old are refused by the server, by name.
      if (m.fullResync) this.#p.replicas.empty(r as ORReplica);
      this.#covering.set(r as ORReplica, m.coveringEpoch ?? 0);
    }
    c!.root(m.rootHash, m.timestamp, m.fullResync);
  }

  #lwwProtocol(r: LWWReplica): Protocol {
    const { link, replicas } = this.#p;
    return {
      begin: () => link.send({ type: 'SYNC_INIT', mapName: r.name, lastSyncTimestamp: replicas.marks.get(r.name)?.at ?? 0 }),
      ask: (path) => link.send({ type: 'MERKLE_REQ_BUCKET', payload: { mapName: r.name, path } }),
      mine: (path) => this.#dropForgotten(r, below(r, path)),
      agreed: (at) => replicas.mark(r as AnyReplica, { at: at.millis, epoch: 0 }),
    };
  }

  #lwwLeaf(r: LWWReplica, path: string, records: readonly messages.KeyedRecord[]): boolean {
    const changes: Change<LWWState>[] = [];
    const theirs = new Set<string>();
    for (const { key, record } of records) {
      if (!isLWWRecord(record)) continue;
      theirs.add(key);
      this.#saw(record.timestamp);
      changes.push({ key, merge: record });
    }
    const changed = this.#p.replicas.change(r, changes);
    return this.#dropForgotten(r, below(r, path).filter((key) => !theirs.has(key))) || changed;
  }

  /** Forgets tombstones that the server has none of any more; what waits to be sent to it is not among them. */
  #dropForgotten(r: LWWReplica, keys: readonly string[]): boolean {
    const changes: Change<LWWState>[] = [];
    for (const key of keys) {
      const state = r.states.get(key)!;
      if (state.value === null && !this.#p.log.waits(r.name, key)) changes.push({ key, forget: formatTimestamp(state.timestamp) });
    }
    return this.#p.replicas.change(r, changes, true);
  }

  /** Forgets an LWW map, because the server has forgotten removals that it may lack, and begins anew. */
  #reset(map: string): void {
    const [r, c] = this.#of(lww, map) ?? [];
    if (!r) return;
    this.#p.replicas.empty(r);
    c!.restart();
  }

  #prune(olderThan: Timestamp): void {
    if (!isTimestamp(olderThan)) return;
    const { replicas, log } = this.#p;
    const old = (t: string | Timestamp): boolean => {
      const ts = typeof t === 'string' ? parseTimestamp(t) : t;
      return !!ts && compareTimestamps(ts, olderThan) < 0;
    };
    for (const r of replicas.all()) {
      const changes: Change<unknown>[] = [];
      for (const [key, state] of r.states) {
        if (!log.waits(r.name, key)) for (const forget of r.kind.stale(state, old)) changes.push({ key, forget });
      }
      replicas.change(r, changes, true);
    }
  }

  #orProtocol(r: ORReplica): Protocol {
    const { link, replicas } = this.#p;
    return {
      begin: () =>
        link.send({
          type: 'ORMAP_SYNC_INIT',
          mapName: r.name,
          rootHash: r.tree.root(),
          bucketHashes: Object.fromEntries(r.tree.children('')),
          lastSyncTimestamp: replicas.marks.get(r.name)?.at ?? 0,
          claimedEpoch: this.#epoch,
        }),
      ask: (path) => link.send({ type: 'ORMAP_MERKLE_REQ_BUCKET', payload: { mapName: r.name, path } }),
      mine: (path) => this.#push(r, below(r, path).filter((key) => !this.#p.log.waits(r.name, key))),
      agreed: (at) => {
        replicas.mark(r as AnyReplica, { at: at.millis, epoch: this.#covering.get(r) ?? 0 });
        this.#confirm();
      },
    };
  }

  /** Tells the server what it need not remember for this installation's sake, when that is stored. */
  #confirm(): void {
    const { replicas, disk, link } = this.#p;
    const maps = [...replicas.all()].filter((r) => r.kind.prefix === or.prefix);
    const cursor = Math.min(...maps.map((r) => replicas.marks.get(r.name)?.epoch ?? 0));
    if (cursor <= this.#epoch || !maps.every((r) => r.complete)) return;
    disk.after((stored) => {
      if (!stored || cursor <= this.#epoch || !link.connected) return;
      this.#epoch = cursor;
      link.send({ type: 'CLIENT_APPLY_ACK', cursor });
    });
  }

  #mergeEntries(r: ORReplica, entries: readonly messages.ORMapEntry[]): boolean {
    const changes: Change<ORState>[] = [];
    for (const { key, records, tombstones } of entries) {
      const live = records.filter(isORRecord);
      for (const record of live) this.#clock.update(record.timestamp);
      changes.push({ key, merge: or.merge(removed(tombstones, this.#p.env.now()), { live, removed: new Map() }) });
    }
    return this.#p.replicas.change(r, changes);
  }

  /** Merges a leaf, and gives the server what it lacks of it. */
  #orLeaf(r: ORReplica, path: string, entries: readonly messages.ORMapEntry[]): boolean {
    const changed = this.#mergeEntries(r, entries);
    const theirs = new Map(entries.map((e) => [e.key, new Set(e.records.map((record) => record.tag))]));
    const lacking = below(r, path).filter((key) => {
      // What waits in the log gets there anyway.
      if (this.#p.log.waits(r.name, key)) return false;
      const { live, removed } = r.states.get(key)!;
      const held = theirs.get(key);
      return live.some(({ tag }) => !held?.has(tag)) || [...(held ?? [])].some((tag) => removed.has(tag));
    });
    return this.#push(r, lacking) || changed;
  }

  /** Sends everything that the replica holds of some keys. */
  #push(r: ORReplica, keys: readonly string[]): boolean {
    let entries: messages.ORMapEntry[] = [];
    let items = 0;
    const send = (): void => {
      if (entries.length) this.#p.link.send({ type: 'ORMAP_PUSH_DIFF', payload: { mapName: r.name, entries } });
      entries = [];
      items = 0;
    };
    for (const key of keys) {
      const { live, removed } = r.states.get(key)!;
      if (entries.length === pushEntries || items + live.length + removed.size > pushItems) send();
      entries.push({ key, records: live as messages.ORMapEntry['records'], tombstones: [...removed.keys()] });
      items += live.length + removed.size;
    }
    send();
    return keys.length > 0;
  }
}

/** The keys below a node of the tree. */
function below(r: LWWReplica | ORReplica, path: string): string[] {
  const width = 16 ** (3 - path.length);
  const first = parseInt(path || '0', 16) * width;
  const keys: string[] = [];
  for (let leaf = first; leaf < first + width; leaf++) keys.push(...r.keys(leaf));
  return keys;
}

