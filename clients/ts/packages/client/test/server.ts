// A model of the server: what the protocol promises, in as few lines as possible, with the faults of a history. It uses
// the maps of @topgun/core, not the client's own.
import { merklePath as merklePathOf, compareTimestamps, decode, encodeMessage, formatTimestamp, LWWMap, maxDrift, ORMap, parseTimestamp, PNCounter, runQuery, type CounterState, type LWWRecord, type messages, type ORRecord, type Query, type ServerMessage, type Timestamp, type Value } from '@topgun/core';
import type { Peer, World } from './world.js';

const stale = 'STALE_WRITE: older than the deletions that are remembered';

type Message = { type: string; payload: { [name: string]: unknown }; [name: string]: unknown };

interface Session {
  readonly id: number;
  send(m: ServerMessage): void;
  drop(): void;
  /** Batches of a session are handled in their order. */
  busyUntil: number;
  device: string;
  /** The covering epochs that it was sent. */
  covered: number;
  readonly maps: Set<string>;
  readonly counters: Set<string>;
  readonly queries: Map<string, Standing>;
}

/** A query that somebody has asked. */
interface Standing {
  readonly map: string;
  readonly query: Query;
  rows: Map<string, Value>;
  /** Where the result stands, if the client wants to know. */
  position: string | undefined;
}

/** How a server misbehaves within what the protocol allows. */
export interface Faults {
  /** An acknowledgement is withheld for good; the operations have been applied. */
  readonly lostAck: number;
  readonly repeatedAck: number;
  readonly lateAck: number;
  /** How long it takes until a batch is on disk, at most, in milliseconds. */
  readonly slowest: number;
}

/** What a history needs to know of each write that was accepted, by its identity. */
export interface Accepted {
  readonly timestamp: Timestamp;
  /** The timestamps that it was sent with. */
  readonly sent: Set<string>;
}

export class Server {
  readonly #world: World;
  readonly #sessions = new Set<Session>();
  readonly lww = new Map<string, LWWMap<Value>>();
  readonly or = new Map<string, ORMap<Value>>();
  readonly counters = new Map<string, PNCounter>();
  /** Timestamps by those that were not believed. */
  readonly #restamped = new Map<string, LWWRecord<Value>>();
  /** LWW values and OR tags that were accepted, by the id inside the value. */
  readonly accepted = new Map<string, Accepted>();
  readonly refused = new Map<string, string>();
  #counter = 0;
  #life = 0;
  #sessionIds = 0;
  #lateRemoval = 0;
  /** What each device has confirmed. */
  readonly #cursors = new Map<string, number>();
  up = true;
  /** Whether it can tell what a query has missed. */
  resumes = true;
  /** What results were, by their positions. */
  readonly #results = new Map<string, Map<string, Value>>();
  /** Gets every message, to be printed. */
  trace: ((direction: string, m: unknown) => void) | undefined;
  faults: Faults;
  /** Tombstones and what is older were forgotten up to here. */
  horizon: Timestamp = { millis: 0, counter: 0, nodeId: '' };

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.faults = faults;
  }

  mapOf(name: string): LWWMap<Value> {
    let m = this.lww.get(name);
    if (!m) this.lww.set(name, (m = new LWWMap<Value>()));
    return m;
  }

  counterOf(name: string): PNCounter {
    let c = this.counters.get(name);
    if (!c) this.counters.set(name, (c = new PNCounter()));
    return c;
  }

  orOf(name: string): ORMap<Value> {
    let m = this.or.get(name);
    if (!m) this.or.set(name, (m = new ORMap<Value>()));
    return m;
  }

  /** The server's own time. */
  #stamp(): Timestamp {
    return { millis: this.#world.now, counter: ++this.#counter, nodeId: 'server' };
  }

  /** Ends all connections; what was not yet on disk is lost, and was seen by nobody. */
  crash(): void {
    this.#life++;
    this.up = false;
    this.#results.clear();
    for (const s of [...this.#sessions]) s.drop();
  }

  dropAll(): void {
    for (const s of [...this.#sessions]) s.drop();
  }

  /** Forgets tombstones older than a while, and tells who is there. */
  collect(age: number): void {
    const olderThan = { millis: this.#world.now - age, counter: 0, nodeId: '' };
    // A removal has to be remembered for that long after it has come, however old it was then.
    if (this.#lateRemoval > olderThan.millis || compareTimestamps(olderThan, this.horizon) <= 0) return;
    this.horizon = olderThan;
    for (const m of this.lww.values()) m.prune(olderThan);
    for (const m of this.or.values()) m.prune((_tag, removedAt) => removedAt < olderThan.millis);
    for (const s of this.#sessions) s.send({ type: 'GC_PRUNE', payload: { olderThan } });
  }

  accept = (send: (frame: Uint8Array) => void, drop: () => void): Peer | undefined => {
    if (!this.up) return undefined;
    const session: Session = {
      send: (m) => {
        this.trace?.(`<- ${session.id}`, m);
        send(encodeMessage(m as never));
      },
      id: ++this.#sessionIds,
      drop,
      busyUntil: 0,
      device: '',
      covered: 0,
      maps: new Set(),
      counters: new Set(),
      queries: new Map(),
    };
    this.#sessions.add(session);
    return {
      message: (frame) => this.#receive(session, decode(frame) as unknown as Message),
      gone: () => this.#sessions.delete(session),
    };
  };

  #receive(s: Session, m: Message): void {
    if (!this.#sessions.has(s)) return;
    this.trace?.(`-> ${s.id}`, m);
    const p = m.payload;
    switch (m.type) {
      case 'DEVICE_HELLO': {
        const known = m['deviceToken'] as string | undefined;
        s.device = known ?? this.#world.id();
        return s.send({ type: 'DEVICE_ACK', deviceId: s.device, ...(known ? {} : { deviceToken: s.device }) });
      }
      case 'CLIENT_APPLY_ACK':
        this.#cursors.set(s.device, Math.max(this.#cursors.get(s.device) ?? 0, Math.min(s.covered, m['cursor'] as number)));
        return;
      case 'PING':
        return s.send({ type: 'PONG', timestamp: m['timestamp'] as number, serverTime: this.#world.now });
      case 'OP_BATCH':
        return this.#batch(s, p['ops'] as messages.ClientOp[]);
      case 'SYNC_INIT':
        return this.#syncInit(s, m['mapName'] as string, (m['lastSyncTimestamp'] as number) ?? 0);
      case 'MERKLE_REQ_BUCKET':
        return this.#bucket(s, p['mapName'] as string, p['path'] as string);
      case 'ORMAP_SYNC_INIT':
        return this.#orInit(s, m as unknown as messages.ORMapSyncInit);
      case 'ORMAP_MERKLE_REQ_BUCKET':
        return this.#orBucket(s, p['mapName'] as string, p['path'] as string);
      case 'ORMAP_PUSH_DIFF':
        return this.#push(s, p['mapName'] as string, p['entries'] as messages.ORMapEntry[]);
      case 'COUNTER_REQUEST':
      case 'COUNTER_SYNC': {
        const name = p['name'] as string;
        s.counters.add(name);
        const counter = this.counterOf(name);
        if (p['state']) counter.merge(p['state'] as CounterState);
        const m = { type: 'COUNTER_UPDATE', payload: { name, state: counter.state() } } as const;
        for (const other of this.#sessions) if (other.counters.has(name)) other.send(m);
        return;
      }
      case 'QUERY_SUB':
        return this.#ask(s, p as unknown as messages.QuerySub['payload']);
      case 'QUERY_UNSUB':
        s.queries.delete(p['queryId'] as string);
    }
  }

  #ask(s: Session, { queryId, mapName, query, fields, positions, since = '' }: messages.QuerySub['payload']): void {
    const q: Standing = { map: mapName, query: { ...query, ...(fields && { fields }) } as Query, rows: new Map(), position: undefined };
    s.queries.set(queryId, q);
    const { rows, more } = this.#run(q);
    const summary = { queryId, hasMore: more, cursorStatus: 'none' } as const;
    const told = positions && since.startsWith(`${identity(q)} `) ? this.#results.get(since) : undefined;
    if (told) {
      q.rows = told;
      q.position = since;
      s.send({ type: 'QUERY_RESP', payload: { ...summary, results: [], resumed: true, position: since } });
      return this.#refresh(s, queryId, q);
    }
    q.rows = new Map(rows.map((r) => [r.key, r.value]));
    if (positions && this.resumes) this.#place(q);
    s.send({ type: 'QUERY_RESP', payload: { ...summary, results: rows, ...(q.position && { position: q.position }) } });
  }

  /** Gives a result its position. */
  #place(q: Standing): void {
    q.position = `${identity(q)} ${++this.#counter}`;
    this.#results.set(q.position, q.rows);
  }

  #run(q: { map: string; query: Query }): ReturnType<typeof runQuery> {
    const now = this.#world.now;
    return runQuery(q.query, visible(this.mapOf(q.map), now));
  }

  #batch(s: Session, ops: readonly messages.ClientOp[]): void {
    const { random } = this.#world;
    const life = this.#life;
    s.busyUntil = Math.max(s.busyUntil, this.#world.now + random.below(this.faults.slowest));
    this.#world.after(s.busyUntil - this.#world.now, () => {
      if (life !== this.#life) return;
      const rejected: messages.OpResult[] = [];
      for (const op of ops) {
        const problem = this.#apply(s, op);
        if (!problem) continue;
        s.send({ type: 'OP_REJECTED', payload: { opId: op.id!, reason: problem, code: problem.startsWith('STALE') ? 409 : 403 } });
        rejected.push({ opId: op.id!, success: false, achievedLevel: 'FIRE_AND_FORGET', error: problem });
      }
      const ack = (): void =>
        s.send({ type: 'OP_ACK', payload: { lastId: ops.at(-1)!.id!, achievedLevel: 'PERSISTED', ...(rejected.length && { results: rejected }) } as messages.OpAck['payload'] });
      if (random.chance(this.faults.lostAck)) return;
      if (random.chance(this.faults.lateAck)) this.#world.after(random.below(15_000), ack);
      else ack();
      if (random.chance(this.faults.repeatedAck)) this.#world.after(random.below(3000), ack);
    });
  }

  /** Applies an operation, and returns why it is refused if it is. */
  #apply(s: Session, op: messages.ClientOp): string | undefined {
    const { mapName: map, key } = op;
    if (op.orRecord) return this.#orAdd(s, map, key, op.orRecord);
    if (op.orTag !== undefined) return this.#orRemove(s, map, key, op.orTag);
    const record = op.record as LWWRecord<Value>;
    const id = idOf(record.value);
    if (refuses(record.value, key)) {
      if (id) this.refused.set(id, 'FORBIDDEN');
      return 'FORBIDDEN: a policy denies this';
    }
    const m = this.mapOf(map);
    const original = formatTimestamp(record.timestamp);
    const memory = `${map}\0${key}\0${original}`;
    const before = this.#restamped.get(memory);
    const held = m.record(key);
    if (!held && compareTimestamps((before ?? record).timestamp, this.horizon) < 0) {
      // A write that was accepted, and then deleted, is accepted nevertheless.
      if (id && !this.accepted.has(id)) this.refused.set(id, 'STALE_WRITE');
      return stale;
    }
    if (before) {
      for (const told of new Set([before, held ?? before])) {
        s.send({ type: 'SERVER_EVENT', payload: { mapName: map, eventType: told.value === null ? 'REMOVE' : 'PUT', key, record: told } });
      }
      return undefined;
    }
    let stored = record;
    if (record.timestamp.millis - this.#world.now > maxDrift) {
      stored = { ...record, timestamp: this.#stamp() };
      this.#restamped.set(memory, stored);
      s.send({ type: 'SERVER_EVENT', payload: { mapName: map, eventType: 'PUT', key, record: stored } });
    }
    if (id) {
      const a = this.accepted.get(id) ?? { timestamp: stored.timestamp, sent: new Set<string>() };
      a.sent.add(original);
      this.accepted.set(id, a);
    }
    if (!m.merge(key, stored)) return undefined;
    if (stored.value === null) this.#lateRemoval = this.#world.now;
    this.#announce(s, map, { mapName: map, eventType: stored.value === null ? 'REMOVE' : 'PUT', key, record: stored });
    return undefined;
  }

  #orAdd(s: Session | undefined, map: string, key: string, record: ORRecord<Value>): string | undefined {
    const id = idOf(record.value);
    if (refuses(record.value, key)) {
      if (id) this.refused.set(id, 'FORBIDDEN');
      return 'FORBIDDEN: a policy denies this';
    }
    const m = this.orOf(map);
    if (record.timestamp.millis < this.horizon.millis && !m.records(key).some((r) => r.tag === record.tag)) {
      if (id && !this.accepted.has(id)) this.refused.set(id, 'STALE_WRITE');
      return stale;
    }
    if (id) {
      const a = this.accepted.get(id) ?? { timestamp: record.timestamp, sent: new Set<string>() };
      a.sent.add(record.tag);
      this.accepted.set(id, a);
    }
    if (m.merge(key, record)) this.#announce(s, map, { mapName: map, eventType: 'OR_ADD', key, orRecord: record });
    return undefined;
  }

  #orRemove(s: Session | undefined, map: string, key: string, tag: string): string | undefined {
    const m = this.orOf(map);
    const known = m.records(key).some((r) => r.tag === tag) || m.tombstones(key).some(([t]) => t === tag);
    if (!known && (parseTimestamp(tag)?.millis ?? Infinity) < this.horizon.millis) return stale;
    if (m.removeTag(key, tag, this.#world.now)) this.#announce(s, map, { mapName: map, eventType: 'OR_REMOVE', key, orTag: tag });
    return undefined;
  }

  /** Tells everybody but the writer, and the queries of everybody. */
  #announce(writer: Session | undefined, map: string, e: messages.Event): void {
    for (const s of this.#sessions) {
      if (s !== writer && s.maps.has(map)) s.send({ type: 'SERVER_EVENT', payload: e });
      for (const [queryId, q] of s.queries) if (q.map === map) this.#refresh(s, queryId, q);
    }
  }

  #refresh(s: Session, queryId: string, q: Standing): void {
    const rows = new Map(this.#run(q).rows.map((r) => [r.key, r.value]));
    const updates: messages.QueryUpdate['payload'][] = [];
    for (const key of q.rows.keys()) if (!rows.has(key)) updates.push({ queryId, key, value: null, changeType: 'LEAVE' });
    for (const [key, value] of rows) {
      const old = q.rows.get(key);
      if (old !== value) updates.push({ queryId, key, value, changeType: old === undefined ? 'ENTER' : 'UPDATE' });
    }
    if (!updates.length) return;
    q.rows = rows;
    for (const [i, update] of updates.entries()) {
      // Before the last one the result stands where it did.
      if (q.position && i === updates.length - 1) this.#place(q);
      s.send({ type: 'QUERY_UPDATE', payload: { ...update, ...(q.position && { position: q.position }) } });
    }
  }

  #syncInit(s: Session, mapName: string, last: number): void {
    s.maps.add(mapName);
    if (last > 0 && last < this.horizon.millis) return s.send({ type: 'SYNC_RESET_REQUIRED', payload: { mapName, reason: 'too old' } });
    s.send({ type: 'SYNC_RESP_ROOT', payload: { mapName, rootHash: this.mapOf(mapName).tree.root(), timestamp: this.#stamp() } });
  }

  #bucket(s: Session, mapName: string, path: string): void {
    const m = this.mapOf(mapName);
    if (path.length === 3) {
      const records = [...m.records()].filter(([key]) => pathOf(key) === path).map(([key, record]) => ({ key, record }));
      return s.send({ type: 'SYNC_RESP_LEAF', payload: { mapName, path, records } });
    }
    s.send({ type: 'SYNC_RESP_BUCKETS', payload: { mapName, path, buckets: Object.fromEntries(m.tree.children(path)) } });
  }

  #orInit(s: Session, { mapName, rootHash, claimedEpoch = 0 }: messages.ORMapSyncInit): void {
    s.maps.add(mapName);
    const cursor = this.#cursors.get(s.device) ?? 0;
    const horizon = this.horizon.millis;
    const root = this.orOf(mapName).tree.root();
    if (horizon > 0 && rootHash !== 0 && (cursor < horizon || claimedEpoch < cursor)) {
      s.send({ type: 'ORMAP_SYNC_RESP_ROOT', payload: { mapName, rootHash: root, timestamp: this.horizon, fullResync: true } });
    } else this.#orRoot(s, mapName, root === rootHash);
    // Whoever was not equal is asked again by and by.
    const probe = (): void => {
      if (!this.#sessions.has(s)) return;
      this.#orRoot(s, mapName, true);
      if ((this.#cursors.get(s.device) ?? 0) < this.#world.now - 30_000) this.#world.after(10_000, probe);
    };
    this.#world.after(1000, probe);
  }

  #orRoot(s: Session, mapName: string, covering: boolean): void {
    if (covering) s.covered = this.#world.now;
    s.send({
      type: 'ORMAP_SYNC_RESP_ROOT',
      payload: { mapName, rootHash: this.orOf(mapName).tree.root(), timestamp: this.#stamp(), ...(covering && { coveringEpoch: this.#world.now }) },
    });
  }

  #orBucket(s: Session, mapName: string, path: string): void {
    const m = this.orOf(mapName);
    if (path.length === 3) {
      const entries = [...m.keys()]
        .filter((key) => pathOf(key) === path)
        .map((key) => ({ key, records: m.records(key), tombstones: m.tombstones(key).map(([tag]) => tag) }));
      return s.send({ type: 'ORMAP_SYNC_RESP_LEAF', payload: { mapName, path, entries } });
    }
    const buckets: { [digit: string]: number } = Object.fromEntries(m.tree.children(path));
    if (path.length < 2) for (const digit of '0123456789abcdef') buckets[digit] ??= 0;
    s.send({ type: 'ORMAP_SYNC_RESP_BUCKETS', payload: { mapName, path, buckets } });
  }

  #push(s: Session, map: string, entries: readonly messages.ORMapEntry[]): void {
    for (const { key, records, tombstones } of entries) {
      const known = new Set(this.orOf(map).records(key).map((r) => r.tag));
      for (const tag of tombstones) if (known.has(tag)) this.#orRemove(s, map, key, tag);
      for (const r of records) if (!known.has(r.tag)) this.#orAdd(s, map, key, r);
    }
  }
}

/** The policy: such values are refused, and so is the removal of such keys. */
export function refuses(value: Value, key: string): boolean {
  if (value === null) return key.startsWith('keep');
  return typeof value === 'object' && 'bad' in value;
}

/** What tells queries apart. */
function identity({ map, query }: Standing): string {
  return JSON.stringify([map, query]).replaceAll(' ', '');
}

/** The identity of a write, which is inside its value. */
export function idOf(value: Value): string | undefined {
  return typeof value === 'object' && value !== null && 'id' in value ? String((value as { id: Value }).id) : undefined;
}

export function* visible(m: LWWMap<Value>, now: number): Iterable<[string, Value]> {
  for (const [key] of m.records()) {
    const value = m.get(key, now);
    if (value !== undefined) yield [key, value];
  }
}

function pathOf(key: string): string {
  return paths.get(key) ?? (paths.set(key, merklePathOf(key)), paths.get(key)!);
}

const paths = new Map<string, string>();

