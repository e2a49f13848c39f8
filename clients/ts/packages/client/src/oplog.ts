import { decode, encode, type messages, type Timestamp } from '@topgun/core';
import type { Key } from './environment.js';
import { TopGunError, type RefusedOperation } from './errors.js';
import type { Parts } from './feature.js';
import type { Change } from './replica.js';
import { lww, type Kind, type Packed } from './state.js';
import type { Write } from './write.js';

/** An operation that the server has not yet answered for. */
export class Op<S = unknown> {
  /** Its place in the log; 0 until it has one. */
  id = 0;
  stored = false;
  /** What the server made of an LWW record whose timestamp it did not believe; the replica has taken it. */
  restamped: S | undefined;

  /**
   * @param state what it merges into the key: one record, or one removed tag
   * @param size what it costs in the log and in a frame, about, in bytes
   * @param before what to go back to if it is refused; undefined for nothing
   */
  constructor(
    readonly kind: Kind<S>,
    readonly map: string,
    readonly key: string,
    public state: S,
    readonly size: number,
    readonly concern?: messages.WriteConcern,
    readonly write?: Write,
    public before?: S,
  ) {}

  /** The timestamp of what it writes. */
  get timestamp(): Timestamp | undefined {
    return this.kind.newest(this.state);
  }

  /** What it does to the replica. */
  change(): Change<S> {
    return { key: this.key, merge: this.restamped ?? this.state };
  }

  /** What takes that back. */
  undo(): Change<S> {
    return { key: this.key, forget: this.kind.ids(this.restamped ?? this.state)[0], merge: this.before };
  }

  message(): messages.ClientOp {
    const { id, map, key, concern } = this;
    return { id: String(id), mapName: map, key, ...this.kind.operation(this.state), writeConcern: concern } as messages.ClientOp;
  }

  /** What the application is told when it is refused. */
  describe(): RefusedOperation {
    const { opType: type, record, orRecord } = this.kind.operation(this.state);
    return { map: this.map, key: this.key, type, value: (record ?? orRecord)?.value ?? undefined };
  }

  pack(): Uint8Array {
    const { kind, map, key, state, concern, restamped } = this;
    return encode([kind.prefix, map, key, kind.pack(state), concern, restamped && kind.pack(restamped)]);
  }

  static unpack(bytes: Uint8Array, kinds: ReadonlyMap<string, Kind<unknown>>): Op | undefined {
    const [prefix, map, key, state, concern, restamped] = decode(bytes) as [string, string, string, Packed, messages.WriteConcern | null, Packed | null];
    const kind = kinds.get(prefix);
    if (!kind) return undefined;
    const op = new Op(kind, map, key, kind.unpack(state), bytes.length, concern ?? undefined);
    op.stored = true;
    if (restamped) op.restamped = kind.unpack(restamped);
    return op;
  }
}

/** So many operations are read in one go. */
const slice = 500;

/** How many operations may wait, and how many bytes they may have in total. */
export interface LogLimits {
  readonly writes: number;
  readonly writeBytes: number;
}

/**
 * The operations of this client that the server has not yet answered for, in order. Each is stored below the client's
 * namespace, which no other client touches while this one lives.
 */
export class OpLog {
  /** The kinds of operations that this client can send. */
  readonly kinds = new Map<string, Kind<unknown>>([[lww.prefix, lww as Kind<unknown>]]);
  readonly #p: Parts;
  readonly #limits: LogLimits;
  readonly #ops: Op[] = [];
  /** How many operations wait, by map and key. */
  readonly #keys = new Map<string, Map<string, number>>();
  #last = 0;
  #bytes = 0;
  /** The first parts of the keys under which it stores; unknown until the namespace is. */
  #place: Key | undefined;

  constructor(parts: Parts, limits: LogLimits) {
    this.#p = parts;
    this.#limits = limits;
  }

  get size(): number {
    return this.#ops.length;
  }

  /** Whether operations have their places. */
  get isOpen(): boolean {
    return !!this.#place;
  }

  get ops(): readonly Op[] {
    return this.#ops;
  }

  /** Refuses what there is no room for. */
  admit(operations: number, bytes: number): void {
    if (this.size + operations > this.#limits.writes || this.#bytes + bytes > this.#limits.writeBytes) {
      throw new TopGunError('QUEUE_FULL', `${this.size} writes (${this.#bytes} bytes) wait for the server`);
    }
  }

  /** Reads what an earlier client of the namespace has left, and gives what was written meanwhile its place behind it. */
  async open(namespace: string, ready: (early: readonly Op[]) => void): Promise<void> {
    const place: Key = ['q', namespace];
    const left = await this.read(namespace);
    const early = this.#ops.splice(0);
    this.#keys.clear();
    this.#bytes = 0;
    this.#place = place;
    for (const [id, op] of left) {
      this.#last = Math.max(this.#last, id);
      if (!op) continue;
      op.id = id;
      // It may have been stored before the page was.
      this.#p.disk.page(op.kind, op.map, op.change());
      this.#append(op);
    }
    ready(early);
  }

  /** Adds an operation. Before the log is open it only waits. */
  add(op: Op): void {
    if (this.#place) {
      op.id = ++this.#last;
      this.store(op);
    }
    this.#append(op);
  }

  /** Stores an operation, again if something about it has changed. */
  store(op: Op): void {
    this.#p.disk.set([...this.#place!, op.id], op.pack());
  }

  /** The index of the first operation behind an id. */
  after(id: number): number {
    let low = 0;
    let high = this.#ops.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (this.#ops[mid]!.id <= id) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** Removes the operations up to an id. */
  take(id: number): Op[] {
    const out = this.#ops.splice(0, this.after(id));
    for (const op of out) this.#forget(op);
    return out;
  }

  /** Removes one operation. */
  remove(id: number): Op | undefined {
    const i = this.after(id - 1);
    if (this.#ops[i]?.id !== id) return undefined;
    const [op] = this.#ops.splice(i, 1);
    this.#forget(op!);
    return op;
  }

  /** Whether an operation on the key waits. */
  waits(map: string, key: string): boolean {
    return this.#keys.get(map)?.has(key) ?? false;
  }

  /** The operations on a key, or on all keys of a map, in order. */
  of(map: string, key?: string): Op[] {
    return !key || this.waits(map, key) ? this.#ops.filter((op) => op.map === map && op.key === (key ?? op.key)) : [];
  }

  /** The keys of a map on which operations wait. */
  keys(map: string): Iterable<string> {
    return this.#keys.get(map)?.keys() ?? [];
  }

  #append(op: Op): void {
    this.#ops.push(op);
    this.#bytes += op.size;
    this.#count(op, 1);
  }

  #forget(op: Op): void {
    this.#bytes -= op.size;
    this.#count(op, -1);
    this.#p.disk.set([...this.#place!, op.id], null);
  }

  #count({ map, key }: Op, by: number): void {
    let keys = this.#keys.get(map);
    if (!keys) this.#keys.set(map, (keys = new Map()));
    const n = (keys.get(key) ?? 0) + by;
    if (n) keys.set(key, n);
    else keys.delete(key);
  }

  /** Reads the operations of a namespace with their ids; undefined for one that this client does not know how to send. */
  async read(namespace: string): Promise<[number, Op | undefined][]> {
    const { env } = this.#p;
    const out: [number, Op | undefined][] = [];
    let after: Key | undefined;
    for (;;) {
      const entries = await env.storage.list(['q', namespace], slice, after);
      for (const [key, bytes] of entries) out.push([key[2] as number, Op.unpack(bytes, this.kinds)]);
      if (entries.length < slice) return out;
      after = entries.at(-1)![0];
      await env.pause();
    }
  }
}
