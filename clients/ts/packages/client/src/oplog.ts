import { decode, encode, type LWWRecord, type messages, type ORRecord, type Timestamp } from '@topgun/core';
import type { Disk } from './disk.js';
import type { Environment, Key } from './environment.js';
import { TopGunError, type RefusedOperation } from './errors.js';
import type { Change } from './replica.js';
import { added, lww, or, removed, type Kind, type LWWState, type ORState, type Packed } from './state.js';
import type { Write } from './write.js';

/** What an operation does; one of record, orRecord and orTag is there. */
export interface Doing {
  readonly map: string;
  readonly key: string;
  readonly record?: LWWRecord<unknown> | undefined;
  readonly orRecord?: ORRecord<unknown> | undefined;
  readonly orTag?: string | undefined;
  /** When the tag was removed, in milliseconds. */
  readonly at?: number | undefined;
  readonly concern?: messages.WriteConcern | undefined;
}

/** An operation that the server has not yet answered for. */
export class Op {
  /** Its place in the log; 0 until it has one. */
  id = 0;
  stored = false;
  /** The record that the server made of an LWW record whose timestamp it did not believe; the replica has taken it. */
  restamped: LWWState | undefined;

  constructor(
    public doing: Doing,
    /** What it costs in the log and in a frame, about, in bytes. */
    readonly size: number,
    readonly write?: Write,
    /** What the replica held before: an LWW record, or the record that OR_REMOVE removed. */
    public before?: LWWState | ORRecord<unknown>,
  ) {}

  get type(): RefusedOperation['type'] {
    const { record, orRecord } = this.doing;
    return record ? (record.value === null ? 'REMOVE' : 'PUT') : orRecord ? 'OR_ADD' : 'OR_REMOVE';
  }

  get kind(): Kind<LWWState> | Kind<ORState> {
    return this.doing.record ? lww : or;
  }

  /** The timestamp of what it writes. */
  get timestamp(): Timestamp | undefined {
    return (this.doing.record ?? this.doing.orRecord)?.timestamp;
  }

  /** What it does to the replica. */
  change(): Change<LWWState | ORState> {
    const { key, record, orRecord, orTag, at } = this.doing;
    return { key, merge: this.restamped ?? record ?? (orRecord ? added(orRecord) : removed([orTag!], at!)) };
  }

  message(): messages.ClientOp {
    const { map, key, record, orRecord, orTag, concern } = this.doing;
    return {
      id: String(this.id),
      mapName: map,
      key,
      opType: this.type,
      ...(record && { record }),
      ...(orRecord && { orRecord }),
      ...(orTag !== undefined && { orTag }),
      ...(concern && { writeConcern: concern }),
    } as messages.ClientOp;
  }

  pack(): Uint8Array {
    const { map, key, record, orRecord, orTag, at, concern } = this.doing;
    const what = record ? lww.pack(record) : orRecord ? or.pack(added(orRecord)) : [orTag, at];
    return encode([this.type, map, key, what, concern ?? null, this.restamped ? lww.pack(this.restamped) : null]);
  }

  static unpack(bytes: Uint8Array): Op {
    const [type, map, key, what, concern, restamped] = decode(bytes) as [string, string, string, Packed, messages.WriteConcern | null, Packed | null];
    const doing: Doing = {
      map,
      key,
      ...(type === 'OR_REMOVE'
        ? { orTag: what[0] as string, at: what[1] as number }
        : type === 'OR_ADD'
          ? { orRecord: or.unpack(what).live[0] }
          : { record: lww.unpack(what) }),
      concern: concern ?? undefined,
    };
    const op = new Op(doing, bytes.length);
    op.stored = true;
    if (restamped) op.restamped = lww.unpack(restamped);
    return op;
  }
}

/** How many operations may wait, and how many bytes they may have in total. */
export interface LogLimits {
  readonly operations: number;
  readonly bytes: number;
}

/**
 * The operations of this client that the server has not yet answered for, in order. Each is stored below the client's
 * namespace, which no other client touches while this one lives.
 */
export class OpLog {
  readonly #limits: LogLimits;
  readonly #disk: Disk;
  readonly #ops: Op[] = [];
  /** How many operations wait, by map and key. */
  readonly #keys = new Map<string, Map<string, number>>();
  #last = 0;
  #bytes = 0;
  /** The first parts of the keys under which it stores; unknown until the namespace is. */
  #place: Key | undefined;

  constructor(disk: Disk, limits: LogLimits) {
    this.#disk = disk;
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
    if (this.#ops.length + operations > this.#limits.operations || this.#bytes + bytes > this.#limits.bytes) {
      throw new TopGunError(
        'QUEUE_FULL',
        `${this.#ops.length} writes with ${this.#bytes} bytes wait for the server; connect before writing more, or raise limits`,
      );
    }
  }

  /** Reads what an earlier client of the namespace has left, and gives what was written meanwhile its place behind it. */
  async open(namespace: string, env: Environment, ready: (early: readonly Op[]) => void): Promise<void> {
    const place: Key = ['q', namespace];
    const left = await readOps(env, place);
    const early = this.#ops.splice(0);
    this.#keys.clear();
    this.#bytes = 0;
    this.#place = place;
    for (const [id, op] of left) {
      op.id = id;
      this.#last = Math.max(this.#last, id);
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
    this.#disk.set([...this.#place!, op.id], op.pack());
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
    this.#disk.set([...this.#place!, op.id], null);
  }

  #count({ doing: { map, key } }: Op, by: number): void {
    let keys = this.#keys.get(map);
    if (!keys) this.#keys.set(map, (keys = new Map()));
    const n = (keys.get(key) ?? 0) + by;
    if (n) keys.set(key, n);
    else keys.delete(key);
  }
}

/** Reads the operations of a namespace with their ids. What cannot be read is left where it is. */
export async function readOps(env: Environment, place: Key): Promise<[number, Op][]> {
  const out: [number, Op][] = [];
  let after: Key | undefined;
  for (;;) {
    const entries = await env.storage.list(place, 500, after);
    for (const [key, bytes] of entries) out.push([key[2] as number, Op.unpack(bytes)]);
    if (entries.length < 500) return out;
    after = entries.at(-1)![0];
    await env.pause();
  }
}
