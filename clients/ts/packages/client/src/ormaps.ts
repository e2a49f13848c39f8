import { decode, encode, isORRecord, type messages, type ServerMessage } from '@topgun/core';
import type { Feature, Parts } from './feature.js';
import { ORMapHandle } from './ormap.js';
import type { Change } from './replica.js';
import type { AnyReplica, ORReplica } from './replicas.js';
import { added, or, removed, type Kind, type ORState } from './state.js';
import type { Protocol } from './sync.js';
import { below } from './syncs.js';

/** The most entries of one push, and about the most records and tags. */
const pushEntries = 500;
const pushItems = 4000;

/** The OR maps of a client: as Syncs for the other kind. */
export class ORMaps implements Feature {
  readonly #p: Parts;
  readonly #handles = new Map<ORReplica, ORMapHandle>();
  /** Up to when the last root of a map covers the server's removals, in ms; 0 for not at all. */
  readonly #covering = new Map<string, number>();
  /** The same of each map when it was last found equal, also of those that are stored and not open. */
  readonly #covered = new Map<string, number>();
  /** What this installation has confirmed; undefined until that is known. */
  #epoch: number | undefined;

  constructor(parts: Parts) {
    this.#p = parts;
    parts.log.kinds.set(or.prefix, or as Kind<unknown>);
  }

  /** The map of a name; the client fetches it and keeps it up to date. */
  open(name: string): ORMapHandle {
    const { replicas, syncs } = this.#p;
    const r = replicas.get(or, name);
    let handle = this.#handles.get(r);
    if (!handle) {
      this.#handles.set(r, (handle = new ORMapHandle(this.#p, r)));
      syncs.follow(r as AnyReplica, this.#protocol(r));
      this.#p.events.changed();
    }
    return handle;
  }

  async start(_namespace: string, meta: ReadonlyMap<unknown, unknown>): Promise<void> {
    for (const [key, bytes] of await this.#p.env.storage.list(['e'], 100_000)) {
      const map = key[1] as string;
      if (!this.#covered.has(map)) this.#covered.set(map, decode(bytes) as number);
    }
    this.#epoch = Number(meta.get('epoch') ?? 0);
  }

  receive(m: ServerMessage): void {
    switch (m.type) {
      case 'SERVER_EVENT':
        return this.#event(m.payload);
      case 'SERVER_BATCH_EVENT':
        return m.payload.events.forEach((e) => this.#event(e));
      case 'ORMAP_SYNC_RESP_ROOT':
      case 'ORMAP_SYNC_RESP_BUCKETS':
      case 'ORMAP_SYNC_RESP_LEAF':
        if ('rootHash' in m.payload) this.#covering.set(m.payload.mapName, m.payload.coveringEpoch ?? 0);
        return this.#p.syncs.answer(or, m.payload, (r) => this.#leaf(r, m.payload as messages.ORMapSyncRespLeaf['payload']));
    }
  }

  #event({ mapName, key, orRecord, orTag }: messages.Event): void {
    const { replicas, clock, env } = this.#p;
    const r = replicas.find(or, mapName);
    if (!r) return;
    if (isORRecord(orRecord)) {
      clock.update(orRecord.timestamp);
      replicas.change(r, [{ key, merge: added(orRecord) }]);
    } else if (orTag) {
      replicas.change(r, [{ key, merge: removed([orTag], env.now()) }]);
    }
  }

  #protocol(r: ORReplica): Protocol {
    const { link, replicas, log, disk } = this.#p;
    const mapName = r.name;
    return {
      begin: () =>
        link.send({
          type: 'ORMAP_SYNC_INIT',
          mapName,
          rootHash: r.tree.root(),
          bucketHashes: Object.fromEntries(r.tree.children('')),
          lastSyncTimestamp: replicas.mark(r as AnyReplica),
          claimedEpoch: this.#epoch ?? 0,
        }),
      ask: (path) => link.send({ type: 'ORMAP_MERKLE_REQ_BUCKET', payload: { mapName, path } }),
      // What waits in the log gets there anyway.
      mine: (path) => this.#push(r, below(r, path).filter((key) => !log.waits(mapName, key))),
      agreed: (at) => {
        replicas.equal(r as AnyReplica, at.millis);
        const covered = this.#covering.get(mapName) ?? 0;
        this.#covered.set(mapName, covered);
        disk.set(['e', mapName], encode(covered));
        this.#confirm();
      },
    };
  }

  /** Tells the server what it need not remember for this installation's sake, when that is stored. */
  #confirm(): void {
    const { disk, link } = this.#p;
    if (this.#epoch === undefined) return;
    const cursor = Math.min(...this.#covered.values());
    if (cursor <= this.#epoch) return;
    disk.after((stored) => {
      if (!stored || cursor <= this.#epoch! || !link.connected) return;
      this.#epoch = cursor;
      disk.set(['m', 'epoch'], encode(cursor));
      link.send({ type: 'CLIENT_APPLY_ACK', cursor });
    });
  }

  /** Merges a leaf, and gives the server what it lacks of it. */
  #leaf(r: ORReplica, { path, entries }: messages.ORMapSyncRespLeaf['payload']): boolean {
    const { replicas, clock, env, log } = this.#p;
    const changes: Change<ORState>[] = [];
    const theirs = new Map<string, Set<string>>();
    for (const { key, records, tombstones } of entries) {
      const live = records.filter(isORRecord);
      for (const record of live) clock.update(record.timestamp);
      theirs.set(key, new Set(live.map((record) => record.tag)));
      changes.push({ key, merge: or.merge(removed(tombstones, env.now()), { live, removed: new Map() }) });
    }
    const changed = replicas.change(r, changes);
    const lacking = below(r, path).filter((key) => {
      if (log.waits(r.name, key)) return false;
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
