import { decode, encode, equal, formatTimestamp, type LWWRecord, type Timestamp } from '@topgun/core';
import type { Key } from './environment.js';
import { TopGunError } from './errors.js';
import type { Parts } from './feature.js';
import type { Op } from './oplog.js';
import { readPage } from './pages.js';
import { Replica, type Change } from './replica.js';
import { lww, type Kind, type LWWState, type ORState, type Packed } from './state.js';

export type LWWReplica = Replica<LWWState>;
export type ORReplica = Replica<ORState>;
/** A replica of either kind, where the kind does not matter. */
export type AnyReplica = Replica<unknown>;

/** How many pages are read at once; between two reads everything else gets its turn. */
const readPages = 48;

/** The replicas of the maps that are open, and the one way in which they change. */
export class Replicas {
  readonly #p: Parts;
  readonly #open = new Map<string, AnyReplica>();
  /** The server's time since when what is known of a map has been kept up to date, in ms. */
  readonly #marks = new Map<AnyReplica, number>();
  /** Changes of a map while its pages are read, or are still to be. */
  readonly #meanwhile = new Map<AnyReplica, Change<unknown>[]>();
  /** Of replicas that were once emptied: what was in them, until they are found equal; ids by key. */
  readonly #former = new Map<AnyReplica, Map<string, string[]>>();
  /** Ids that were taken back; another client may not know it yet, and fall back to one. Ids never come again. */
  readonly #gone = new Set<string>();
  #ready = false;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  /** Begins to read: the storage is open and the log too. */
  start(): void {
    this.#ready = true;
    for (const r of this.#open.values()) void this.#load(r);
  }

  all(): IterableIterator<AnyReplica> {
    return this.#open.values();
  }

  /** The replica of a map, if it is open as one of the kind. */
  find<S>(kind: Kind<S>, name: string): Replica<S> | undefined {
    const r = this.#open.get(name) as Replica<S> | undefined;
    return r?.kind === kind ? r : undefined;
  }

  /** The replica of a map, opened if it is not. Throws INVALID_NAME or MAP_KIND. */
  get<S>(kind: Kind<S>, name: string): Replica<S> {
    const known = this.#open.get(name) as Replica<S> | undefined;
    if (known) {
      if (known.kind === kind) return known;
      throw new TopGunError('MAP_KIND', `map "${name}" is open as one of the other kind: use another name`);
    }
    if (!name || name.includes(':')) throw new TopGunError('INVALID_NAME', `"${name}" is no name of a map: leave out ':'`);
    const r = new Replica(name, kind, this.#p.flusher);
    this.#open.set(name, r as AnyReplica);
    this.#meanwhile.set(r as AnyReplica, []);
    if (this.#ready) void this.#load(r as AnyReplica);
    return r;
  }

  /** A local operation: into the replica and the log, to the storage, and from there to the other clients. */
  write(op: Op): void {
    const r = this.get(op.kind, op.map);
    const change = op.change();
    r.apply(change, true);
    this.#p.log.add(op);
    this.#store(r, [change], true);
  }

  /** A timestamp that is newer than a record, so that what the user does now prevails. */
  stamp(held: Timestamp | undefined): Timestamp {
    if (held) this.#p.clock.resume(held);
    return this.#p.clock.now();
  }

  /** Changes that the server told, or the rules of the protocol demand. Returns whether anything changed. */
  change<S>(r: Replica<S>, changes: readonly Change<S>[], tell = false): boolean {
    // What the server has is not taken back: it may be a removal that another client forgot before the server had it.
    if (this.#gone.size) for (const { merge } of changes) for (const id of r.kind.ids(merge)) this.#gone.delete(id);
    const effective = changes.filter((c) => r.apply(c, false));
    // What has not been read yet may be changed all the same, and others may have it otherwise.
    const meanwhile = this.#meanwhile.get(r as AnyReplica);
    meanwhile?.push(...(changes as readonly Change<unknown>[]));
    const stored = meanwhile || tell ? changes : effective;
    if (stored.length) this.#store(r, stored, tell);
    return effective.length > 0;
  }

  /**
   * A record that the server announces. One that loses although it holds the same value is what the server made of a
   * write whose timestamp it did not believe: the replica takes it, and so does what waits. It can also be somebody
   * else's equal write, so the result is true when the map has to be compared.
   */
  announced(map: string, key: string, record: LWWRecord<unknown>): boolean {
    const r = this.find(lww, map);
    const id = formatTimestamp(record.timestamp);
    /** What a held record was before it became the announced one; undefined if it did not. */
    const former = (held: LWWState | undefined): string | undefined => {
      const old = held && formatTimestamp(held.timestamp);
      return old !== id && equal(held?.value ?? null, record.value) ? old : undefined;
    };
    const gone = new Set<string>();
    for (const op of this.#p.log.of(map, key)) {
      const old = former(op.state as LWWState);
      if (old === undefined) continue;
      op.restamped = record;
      this.#p.log.store(op);
      gone.add(old);
    }
    const mine = r && !this.change(r, [{ key, merge: record }]) ? former(r.states.get(key)) : undefined;
    const unknown = mine !== undefined && !gone.has(mine);
    if (unknown) gone.add(mine);
    // It may lie below later writes, here or in another tab, which would fall back to it.
    for (const forget of gone) {
      const change = { key, forget, merge: record };
      this.#takenBack(lww, map, change);
      this.#tell(lww, map, [change]);
    }
    return unknown;
  }

  /** Takes a refused operation back. What was written on top of it stays, and falls back further should it be refused too. */
  undo(op: Op): void {
    const { kind, map, key } = op;
    const change = op.undo();
    this.#takenBack(kind, map, change);
    if (op.restamped) this.#takenBack(kind, map, { ...change, forget: kind.ids(op.state)[0] });
    this.#tell(kind, map, [change, ...this.#waiting(map, key)]);
  }

  /** Remembers what was taken back. Writes that wait fall back to what stands for it. */
  #takenBack<S>(kind: Kind<S>, map: string, { key, forget, merge }: Change<S>): void {
    if (this.#gone.size > 9999) this.#gone.clear();
    if (!forget) return;
    if (!kind.ids(merge).includes(forget)) this.#gone.add(forget);
    for (const op of this.#p.log.of(map, key)) if (op.kind.ids(op.before)[0] === forget) op.before = merge;
  }

  /** What waits on a key, or in a map: it may have lost against something that was taken back. */
  #waiting(map: string, key?: string): Change<unknown>[] {
    return this.#p.log.of(map, key).map((op) => op.change());
  }

  /** Changes of a map, whether it is open or not, which the other clients have to know. */
  #tell<S>(kind: Kind<S>, map: string, changes: readonly Change<S>[]): void {
    const r = this.find(kind, map);
    const where = r ?? { name: map, kind };
    // What was taken back is told now: this client may be gone as soon as it is stored. It is told again to whoever reads
    // it until then.
    const back = changes.filter((c) => c.forget);
    if (back.length) this.#say(where, back);
    if (r) this.change(r, changes, true);
    else this.#store(where, changes, true);
  }

  /** An operation that the replica does not have: another client has left it, or it has become another one. */
  restore(op: Op): void {
    this.#tell(op.kind, op.map, [op.change()]);
  }

  /** Gives an operation that nobody else has seen another timestamp. Tags are those that were changed so far. */
  restamp(op: Op, tags: Map<string, string>): void {
    const { forget } = op.undo();
    op.state = op.kind.restamp(op.state, this.#p.clock.now(), tags);
    // What was there before may have had another timestamp too.
    op.before = undefined;
    // Two messages: what is taken back is told in any case, what is written only when it is stored.
    this.#tell(op.kind, op.map, [{ key: op.key, forget }]);
    this.restore(op);
  }

  /**
   * What another client of the storage has changed. It has stored that itself. Returns whether something was taken back,
   * against which something may have lost here that nobody will send again.
   */
  told(message: { map: string; kind: string; changes: Uint8Array }): boolean {
    const r = this.#open.get(message.map);
    if (r?.kind.prefix !== message.kind) return false;
    const { kind, name } = r;
    const changes = decode(message.changes) as [string, string | null, Packed | null][];
    // Another client was emptied. What waits here may be nowhere else.
    if (!changes.length) this.#tell(kind, name, this.#waiting(name));
    let back = false;
    // What is told to a replica that was emptied it may just be forgetting in the storage.
    let stored = this.#former.has(r);
    for (const [key, forget, packed] of changes) {
      let merge = packed && kind.unpack(packed);
      const t = kind.newest(merge);
      if (t) this.#p.clock.resume(t);
      // What was taken back and is brought again must not even for a moment stand in the place of what is here.
      const gone = kind.ids(merge).filter((id) => this.#gone.has(id));
      for (const id of gone) merge = kind.forget(merge, id);
      this.#takenBack(kind, name, { key, forget, merge });
      const list = [...gone, forget].map((id): Change<unknown> => ({ key, forget: id, merge }));
      this.#meanwhile.get(r)?.push(...list);
      for (const c of list) if ((r.apply(c, false) && c.forget) || gone.length) back = true;
      // What was taken back may have been brought back here, by taking back what was written on top of it, or wait here to
      // be stored; and what is stored may have lost against it, so that all that follows has to be stored from here too.
      stored ||= back || !!forget;
      if (stored) {
        this.#store(r, [...list, { key, merge: r.states.get(key) }], false);
        this.change(r, this.#waiting(name, key));
      }
    }
    return back;
  }

  /**
   * Forgets a map but for what waits: it has to come from the server anew. The storage, which other clients use too, keeps
   * what it has until replica and server are found equal, and then forgets what has not come again.
   */
  empty<S>(r: Replica<S>): void {
    const former = this.#former.get(r as AnyReplica) ?? new Map<string, string[]>();
    this.#former.set(r as AnyReplica, former);
    for (const [key, state] of r.states) {
      const ids = r.kind.ids(state);
      former.set(key, [...(former.get(key) ?? []), ...ids]);
      for (const forget of ids) r.apply({ key, forget }, false);
    }
    for (const op of this.#p.log.of(r.name)) {
      r.apply(op.change() as Change<S>, false);
      op.before = undefined;
    }
    this.#become(r as AnyReplica, 0);
    // The others say again what they have not sent: the server does not have it.
    this.#store(r, [], true);
  }

  /** How old what is known of a map may be: a time of the server, 0 if nothing is known, 1 if it may be of any age. */
  mark(r: AnyReplica): number {
    return this.#marks.get(r) ?? +(r.states.size > 0);
  }

  /** Notes that the server has begun to compare: what is not equal by then becomes so from now on. */
  began(r: AnyReplica, at: number): void {
    this.#marks.set(r, this.#marks.get(r) || at);
  }

  /** Notes when replica and server have been found equal. */
  equal(r: AnyReplica, at: number): void {
    for (const [key, ids] of this.#former.get(r) ?? []) {
      const here = new Set(r.kind.ids(r.states.get(key)));
      for (const forget of ids) if (!here.has(forget)) this.#p.disk.page(r.kind, r.name, { key, forget });
    }
    this.#former.get(r)?.clear();
    this.#p.disk.set(['s', r.name], encode(at));
    this.#become(r, at);
  }

  #become(r: AnyReplica, at: number): void {
    this.#marks.set(r, at);
    const complete = at > 0;
    if (complete === r.complete) return;
    r.complete = complete;
    this.#p.events.moved(r);
  }

  #store<S>(r: Pick<Replica<S>, 'name' | 'kind'>, changes: readonly Change<S>[], told: boolean): void {
    this.#p.events.storing();
    for (const change of changes) this.#p.disk.page(r.kind, r.name, change);
    // What is written and not stored may be gone with this client, and then nobody would send it.
    if (told) this.#p.disk.after(() => this.#say(r, changes), true);
  }

  /** Reaches the other clients. */
  #say<S>({ name, kind }: Pick<Replica<S>, 'name' | 'kind'>, changes: readonly Change<S>[]): void {
    const packed = encode(changes.map((c) => [c.key, c.forget, c.merge && kind.pack(c.merge)]));
    this.#p.tabs.tell({ map: name, kind: kind.prefix, changes: packed });
  }

  /** Reads what is stored of a map, in slices. */
  async #load(r: AnyReplica): Promise<void> {
    try {
      const mark = (await this.#p.env.storage.list(['s', r.name], 1))[0];
      const place: Key = [r.kind.prefix, r.name];
      let next = this.#p.env.storage.list(place, readPages);
      for (;;) {
        const pages = await next;
        const more = pages.length === readPages;
        // The storage reads ahead while the slice is taken in.
        if (more) next = this.#p.env.storage.list(place, readPages, pages.at(-1)![0]);
        for (const [, bytes] of pages) {
          for (const [key, merge] of readPage(r.kind, bytes)) r.apply({ key, merge }, false);
        }
        if (!more) break;
        await this.#p.env.pause();
      }
      if (mark) this.#become(r, decode(mark[1]) as number);
    } catch (err) {
      this.#p.events.report(err);
    }
    for (const op of this.#p.log.of(r.name)) if (op.kind === r.kind) r.apply(op.change(), false);
    for (const change of this.#meanwhile.get(r)!) r.apply(change, false);
    this.#meanwhile.delete(r);
    r.load();
    this.#p.events.loaded(r);
  }
}
