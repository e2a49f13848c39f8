import { isExpired, isFields, equal, LiveRows, plan, QueryError, type messages, type Plan, type Query, type Row, type SortField, type TypedQuery, type Value } from '@topgun/core';
import { messageOf, TopGunError } from './errors.js';
import type { Parts } from './feature.js';
import type { AnyReplica, LWWReplica } from './replicas.js';

/** What to select. */
export type QueryFilter = Omit<Query, 'sort'> & {
  /** The order; rows that are equal in it are in the order of their keys, and so are all without it. */
  readonly sort?: readonly SortField[] | { readonly [field: string]: 'asc' | 'desc' };
};

/** What to select, made by hand or with `query<Todo>()…build()`, which knows the type of the rows. */
export type Selection<T> = QueryFilter | TypedQuery<T>;

/** A row: the fields of the value, and the key. A value that is no object is the field `value`. */
export type QueryResultItem<T> = T & { readonly _key: string };

export interface ResultMeta {
  /** Whether the result is complete: the server has answered, or the whole map is here. Before that it is what was known. */
  readonly settled: boolean;
  /** Why the server does not answer this query. */
  readonly error?: TopGunError;
}

/** What happened to a row. */
export interface RowChange<T> {
  readonly type: 'add' | 'update' | 'remove';
  readonly key: string;
  readonly value?: QueryResultItem<T>;
  readonly previousValue?: QueryResultItem<T>;
}

export interface PaginationInfo {
  /** Continues behind this result in another query; only of the server's own results. */
  readonly nextCursor?: string;
  readonly hasMore: boolean;
  readonly cursorStatus: messages.CursorStatus;
}

/** So many records are looked at in one go. */
const slice = 4000;
/** So many changed rows are put in their places one by one, more of them together. */
const few = 64;
/** How long after a change here its key waits for the server's word on it, in milliseconds. */
const echoWithin = 2000;
const retryAfter = 1000;

/** Prepares a selection. Throws INVALID_QUERY; undefined when only the server can evaluate it. */
function planOf(query: Query): Plan | undefined {
  const { limit, cursor } = query;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0)) {
    throw new TopGunError('INVALID_QUERY', `a limit of ${limit} is none: use a whole number from 1 on`);
  }
  try {
    const p = plan(query);
    return cursor === undefined ? p : undefined;
  } catch (err) {
    // The server may know operators that are unknown here.
    if (err instanceof QueryError && err.code === 'UNSUPPORTED') return undefined;
    throw new TopGunError('INVALID_QUERY', messageOf(err));
  }
}

/** The selection in the one form in which it is sent. */
export function queryOf({ sort, ...rest }: QueryFilter): Query {
  if (!sort) return rest;
  const list = Array.isArray(sort) ? (sort as SortField[]) : Object.entries(sort).map(([field, direction]) => ({ field, direction: direction as 'asc' | 'desc' }));
  return { ...rest, sort: list };
}

/** What the server is asked. */
export function question({ fields, ...query }: Query): Pick<messages.QuerySub['payload'], 'query' | 'fields'> {
  // Rows are put in order here too, so what orders them has to come along.
  return { query, fields: fields?.length ? [...new Set([...fields, ...(query.sort ?? []).map((s) => s.field)])] : undefined } as Pick<
    messages.QuerySub['payload'],
    'query' | 'fields'
  >;
}

/** What the application sees of a row. */
export function itemOf({ key, value }: Row): unknown {
  return isFields(value) ? { ...value, _key: key } : { value, _key: key };
}

type Listener = (changes: () => RowChange<unknown>[]) => void;

/**
 * A result that stays up to date. While the whole map is here it is the replica's; else it is the server's with what was
 * written here and is not yet there, and before the server has answered what is stored here.
 */
export class LiveQuery {
  readonly id: string;
  readonly replica: LWWReplica;
  readonly #p: Parts;
  readonly #live: Map<string, LiveQuery>;
  readonly #query: Query;
  /** Of the records here; undefined when only the server can evaluate it. */
  readonly #plan: Plan | undefined;
  #limit: number | undefined;
  #rows: LiveRows;
  readonly #listeners = new Set<Listener>();
  /** Keys to be looked at with the next flush. */
  readonly #dirty = new Set<string>();
  /** Keys that were changed here and wait for the server's word, and how to stop that. */
  readonly #held = new Map<string, () => void>();
  #stopWatching: (() => void) | undefined;
  #stopRetry: (() => void) | undefined;
  /** The server's rows; undefined before its answer, and when it is not needed. */
  #theirs: Map<string, Value> | undefined;
  /** Where they stand, for a server that can tell what was missed since; undefined while other ones are asked for. */
  #position: string | undefined;
  #page: PaginationInfo = { hasMore: false, cursorStatus: 'none' };
  #error: TopGunError | undefined;
  #items: readonly unknown[] = [];
  #shown = new Map<string, readonly [row: Row, item: unknown]>();
  /** Counts how often everything has been looked at; a pass that is no longer the last one ends. */
  #pass = 0;
  #seeding = false;
  #asked = false;
  #settled = false;
  #news = false;
  #waiting: (() => void)[] = [];
  readonly #flush = (): void => this.#update();

  /** @param live where it is while it is live */
  constructor(parts: Parts, live: Map<string, LiveQuery>, replica: LWWReplica, filter: QueryFilter) {
    this.#p = parts;
    this.#live = live;
    this.id = parts.env.id();
    this.replica = replica;
    this.#query = queryOf(filter);
    this.#limit = filter.limit;
    this.#plan = planOf(this.#query);
    this.#rows = this.#emptyRows();
  }

  get items(): readonly unknown[] {
    return this.#items;
  }

  get settled(): boolean {
    return this.#settled;
  }

  get meta(): ResultMeta {
    return this.#error ? { settled: this.#settled, error: this.#error } : { settled: this.#settled };
  }

  get page(): PaginationInfo {
    return this.#theirs ? this.#page : { hasMore: this.#rows.more, cursorStatus: 'none' };
  }

  whenSettled(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#settled) resolve();
      else this.#waiting.push(resolve);
    });
  }

  /** Calls back with each new result; the first listener begins, the last one ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      this.#live.set(this.id, this);
      this.#stopWatching = this.replica.watch({ changed: (key) => this.#changed(key), flush: this.#flush });
      this.moved();
    }
    return () => {
      if (this.#listeners.delete(listener) && !this.#listeners.size) this.#end();
    };
  }

  #end(): void {
    this.#live.delete(this.id);
    this.#stopWatching?.();
    this.#stopRetry?.();
    for (const key of [...this.#held.keys()]) this.#release(key);
    this.#pass++;
    this.#unsubscribe();
    this.#theirs = undefined;
    this.#settled = false;
  }

  /** Whether the whole map is here, and what is selected of it can be found out here. */
  get #complete(): boolean {
    return !!this.#plan && this.replica.complete && !!this.#p.syncs.of(this.replica as AnyReplica);
  }

  /** The result may have to come from elsewhere. */
  moved(): void {
    if (this.#complete) {
      this.#unsubscribe();
      this.#theirs = undefined;
    } else if (!this.#asked) this.ask();
    this.#reseed();
  }

  /** Asks the server, if it has to be asked. */
  ask(): void {
    const { link } = this.#p;
    if (this.#complete || !link.connected) return;
    this.#asked = true;
    const query = question({ ...this.#query, ...(this.#limit && { limit: this.#limit }) });
    const since = this.#theirs && this.#position;
    link.send({ type: 'QUERY_SUB', payload: { queryId: this.id, mapName: this.replica.name, ...query, positions: true, ...(since && { since }) } });
  }

  #unsubscribe(): void {
    if (this.#asked) this.#p.link.send({ type: 'QUERY_UNSUB', payload: { queryId: this.id } });
    this.#asked = false;
  }

  detached(): void {
    this.#asked = false;
    this.#stopRetry?.();
  }

  /** Makes the result one page longer. Resolves when that is there. */
  more(): Promise<void> {
    this.#limit &&= this.#limit + this.#query.limit!;
    this.#position = undefined;
    const done = new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (this.#theirs) this.ask();
    else this.#reseed();
    return done;
  }

  answered(m: messages.QueryResp['payload']): void {
    // Rows that the server takes for known may have been given up since it was asked.
    if (!this.#asked || (m.resumed && !this.#theirs)) return;
    if (m.code === 'QUERY_SNAPSHOT_OVERFLOW') {
      this.#stopRetry = this.#p.env.timer(() => this.ask(), retryAfter);
      return;
    }
    const bad = m.cursorStatus === 'expired' || m.cursorStatus === 'invalid';
    const name = m.code ?? (bad ? 'INVALID_CURSOR' : undefined);
    const text = m.error ?? (bad ? `the cursor is ${m.cursorStatus}` : name);
    this.#error = text === undefined ? undefined : new TopGunError('INVALID_QUERY', text, { name, text });
    this.#position = m.position;
    this.#page = {
      hasMore: m.hasMore ?? false,
      cursorStatus: m.cursorStatus ?? 'none',
      ...(m.nextCursor !== undefined && { nextCursor: m.nextCursor }),
    };
    // What was missed follows, what is here stays.
    if (m.resumed) return this.#p.flusher.add(this.#flush, false);
    this.#theirs = new Map(m.results.map((r) => [r.key, r.value]));
    for (const key of [...this.#held.keys()]) this.#release(key);
    this.#news = true;
    this.#reseed();
  }

  updated({ key, value, changeType, position }: messages.QueryUpdate['payload']): void {
    if (!this.#theirs) return;
    this.#position &&= position;
    if (changeType === 'LEAVE') this.#theirs.delete(key);
    else this.#theirs.set(key, value);
    this.#release(key);
    this.#look(key);
  }

  /** The server has answered an operation on a key, and still has to tell what that makes of the result. */
  echo(key: string): void {
    if (this.#theirs) this.#hold(key);
  }

  #changed(key: string): void {
    if (this.#theirs) this.#hold(key);
    this.#dirty.add(key);
  }

  /** Shows what is here of a key until the server has said what is there, or for a while. */
  #hold(key: string): void {
    this.#held.get(key)?.();
    const stop = this.#p.env.timer(() => {
      this.#held.delete(key);
      this.#look(key);
    }, echoWithin);
    this.#held.set(key, stop);
  }

  #release(key: string): void {
    this.#held.get(key)?.();
    this.#held.delete(key);
  }

  #look(key: string): void {
    this.#dirty.add(key);
    this.#p.flusher.add(this.#flush, false);
  }

  #emptyRows(): LiveRows {
    // What the server says is selected; it only has to be put in order.
    const { sort = [], fields = [] } = this.#query;
    if (this.#theirs || !this.#plan) return new LiveRows({ ...plan({ sort, fields }), limit: this.#limit ?? Infinity });
    return new LiveRows({ ...this.#plan, limit: this.#limit ?? this.#plan.limit });
  }

  /** What there is of a key to select from. */
  #value(key: string): Value | undefined {
    const mine = this.#plan && (!this.#theirs || this.#held.has(key) || this.#p.log.waits(this.replica.name, key));
    if (!mine) return this.#theirs?.get(key);
    const state = this.replica.states.get(key);
    if (!state || state.value === null || isExpired(state, this.#p.env.now())) return undefined;
    const value = state.value as Value;
    return !this.#theirs || this.#plan.test(key, value) ? value : undefined;
  }

  #keys(): Iterable<string> {
    if (!this.#theirs) return this.replica.states.keys();
    return new Set([...this.#theirs.keys(), ...this.#held.keys(), ...this.#p.log.keys(this.replica.name)]);
  }

  /** Looks at everything, in slices; the result stays as it is until that is done. */
  #reseed(): void {
    this.#seeding = true;
    this.#dirty.clear();
    void this.#seed(++this.#pass);
  }

  async #seed(pass: number): Promise<void> {
    const rows = this.#emptyRows();
    let batch: [string, Value][] = [];
    for (const key of this.#keys()) {
      const value = this.#value(key);
      if (value !== undefined) batch.push([key, value]);
      if (batch.length < slice) continue;
      rows.load(batch);
      batch = [];
      await this.#p.env.pause();
      if (pass !== this.#pass) return;
    }
    rows.load(batch);
    this.#rows = rows;
    this.#seeding = false;
    this.#p.flusher.add(this.#flush, true);
  }

  /** Brings the result up to date and tells it, if it has changed. */
  #update(): void {
    if (this.#seeding || !this.#listeners.size) return;
    if (!this.#take()) return this.#p.flusher.add(this.#flush, false);
    const before = this.#items;
    const settled = !!this.#theirs || (this.#complete && this.replica.loaded);
    const news = this.#show() || this.#news || settled !== this.#settled || this.#waiting.length > 0;
    this.#settled = settled;
    this.#news = false;
    if (news) {
      const changes = once(() => difference(before, this.#items));
      for (const listener of this.#listeners) this.#p.flusher.call(() => listener(changes));
    }
    if (settled) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Takes in what has changed, at most a slice; false when there is more. */
  #take(): boolean {
    const each = this.#dirty.size <= few;
    const come: [string, Value][] = [];
    let room = slice;
    for (const key of this.#dirty) {
      if (room-- === 0) break;
      this.#dirty.delete(key);
      const value = this.#value(key);
      if (value === undefined || each) this.#rows.set(key, value);
      else come.push([key, value]);
    }
    this.#rows.load(come);
    return this.#dirty.size === 0;
  }

  /** Makes the items of the rows, the same for rows that are the same. Returns whether anything is different. */
  #show(): boolean {
    const shown = new Map<string, readonly [Row, unknown]>();
    const items = this.#rows.rows.map((row) => {
      const old = this.#shown.get(row.key);
      const item = old && (old[0] === row || equal(old[0].value, row.value)) ? old[1] : itemOf(row);
      shown.set(row.key, [row, item]);
      return item;
    });
    this.#shown = shown;
    if (items.length === this.#items.length && items.every((item, i) => item === this.#items[i])) return false;
    this.#items = items;
    return true;
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function difference(before: readonly unknown[], after: readonly unknown[]): RowChange<unknown>[] {
  const keyed = (items: readonly unknown[]) => new Map(items.map((item) => [(item as { _key: string })._key, item as QueryResultItem<unknown>]));
  const old = keyed(before);
  const out: RowChange<unknown>[] = [];
  for (const [key, value] of keyed(after)) {
    const previousValue = old.get(key);
    old.delete(key);
    if (!previousValue) out.push({ type: 'add', key, value });
    else if (previousValue !== value) out.push({ type: 'update', key, value, previousValue });
  }
  for (const [key, previousValue] of old) out.push({ type: 'remove', key, previousValue });
  return out;
}

/** A live query as the application holds it. It is live while somebody subscribes. */
export class QueryHandle<T> {
  readonly #query: LiveQuery;
  readonly #parts: Parts;

  /** @internal */
  constructor(parts: Parts, query: LiveQuery) {
    this.#parts = parts;
    this.#query = query;
  }

  get id(): string {
    return this.#query.id;
  }

  /**
   * Calls back with the result now and after every change. A row that has not changed is the same object as before. The
   * result of subscribe ends it.
   */
  subscribe(callback: (results: readonly QueryResultItem<T>[], meta: ResultMeta) => void): () => void {
    const tell = (): void => callback(this.getSnapshot(), this.#query.meta);
    const stop = this.#query.listen(tell);
    this.#parts.flusher.call(tell);
    return stop;
  }

  /** Calls back with what is different after each change. */
  onDelta(callback: (changes: readonly RowChange<T>[]) => void): () => void {
    return this.#query.listen((changes) => {
      const list = changes() as RowChange<T>[];
      if (list.length) callback(list);
    });
  }

  /** The result as it is now: the same array until it changes. */
  getSnapshot(): readonly QueryResultItem<T>[] {
    return this.#query.items as readonly QueryResultItem<T>[];
  }

  get isSettled(): boolean {
    return this.#query.settled;
  }

  /** Resolves when the result is complete, see ResultMeta. */
  whenSettled(): Promise<void> {
    return this.#query.whenSettled();
  }

  /** Makes the result one page (of `limit` rows) longer, and keeps it live as a whole. */
  loadMore(): Promise<void> {
    return this.#query.more();
  }

  getPaginationInfo(): PaginationInfo {
    return this.#query.page;
  }
}
