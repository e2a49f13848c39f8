import { equal, type Value } from '../value.js';
import { attributeOf, project } from './path.js';
import { comparePlaced, plan as planOf, type Environment, type Group, type Grouping, type Placed, type Plan, type Query, type Row } from './query.js';

/** A record: its key, the value of its row, and what attributes are looked up in, if that is another (see Document). */
export type Entry = readonly [key: string, value: Value, full?: Value];

/** A row that is wanted: where it is, of what it was made, and what of it is shown. */
interface Held extends Placed {
  readonly full: Value;
  readonly shown: Row;
}

/**
 * The rows of a query over records that come one by one, always what the query would give if it were run again on all of
 * them. A row that did not change stays the same object, and so does the list of rows.
 *
 * With the plan of a whole query it is fed with all records of a map; with a plan of nothing but sort and fields it holds
 * what a server says is in the result.
 */
export class LiveRows {
  readonly #held = new Map<string, Held>();
  /** All rows that are wanted, in order, also those beyond the limit. */
  #all: Held[] = [];
  /** For groups: the records in them. */
  readonly #records = new Map<string, Value>();
  #groups: Grouping | undefined;
  #plan: Plan;
  /** What rows last gave, and whether it is out of date. */
  #rows: readonly Row[] = [];
  #stale = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#groups = plan.groups?.();
  }

  /** The rows within the limit. */
  get rows(): readonly Row[] {
    if (this.#stale) {
      this.#stale = false;
      const rows = this.#all.slice(0, this.#plan.limit).map((h) => h.shown);
      if (rows.length !== this.#rows.length || rows.some((r, i) => r !== this.#rows[i])) this.#rows = rows;
    }
    return this.#rows;
  }

  /** How many rows there are within the limit and beyond. */
  get total(): number {
    return this.#all.length;
  }

  /** Whether the limit left out rows. */
  get more(): boolean {
    return this.#all.length > this.#plan.limit;
  }

  /** Says what a record is, undefined when there is none any more. Returns whether rows may have changed. */
  set(key: string, value: Value | undefined, full = value): boolean {
    const wanted = full !== undefined && this.#plan.test(key, full);
    if (!this.#groups) return this.#place(key, wanted ? value : undefined, full);
    const touched = new Set<Group>();
    this.#group(key, wanted ? full : undefined, touched);
    let changed = false;
    for (const [k, v] of valuesOf(touched)) changed = this.#place(k, v, v) || changed;
    return changed;
  }

  /**
   * Says what many records are, which is faster than one by one; a large map is loaded in pieces, so that none takes long.
   * Returns whether rows may have changed.
   */
  load(records: Iterable<Entry>): boolean {
    return this.#load(records, new Map());
  }

  /**
   * Starts again with other records, and with another plan if there is one. Rows that are shown as before stay the same
   * objects.
   */
  replace(records: Iterable<Entry>, plan = this.#plan): void {
    const old = new Map(this.#held);
    this.#plan = plan;
    this.#groups = plan.groups?.();
    this.#records.clear();
    this.#held.clear();
    this.#all = [];
    this.#load(records, old);
    this.#stale = true;
  }

  #load(records: Iterable<Entry>, old: ReadonlyMap<string, Held>): boolean {
    const { test } = this.#plan;
    const fresh = new Map<string, Held>();
    const touched = new Set<Group>();
    let changed = false;
    for (const [key, value, full = value] of records) {
      if (this.#groups) this.#group(key, test(key, full) ? full : undefined, touched);
      else if (this.#held.has(key)) changed = this.set(key, value, full) || changed;
      else if (test(key, full)) fresh.set(key, this.#make(key, value, full, old.get(key)));
    }
    for (const [key, value] of valuesOf(touched)) {
      if (value === undefined || this.#held.has(key)) changed = this.#place(key, value, value) || changed;
      else fresh.set(key, this.#make(key, value, value, old.get(key)));
    }
    return this.#merge([...fresh.values()]) || changed;
  }

  /** Puts rows that are not there yet into their places, all in one go. */
  #merge(fresh: Held[]): boolean {
    if (!fresh.length) return false;
    const { sort } = this.#plan;
    fresh.sort((a, b) => comparePlaced(a, b, sort));
    const first = this.#find(fresh[0]!);
    const rest = this.#all.splice(first);
    let i = 0;
    for (const held of fresh) {
      this.#held.set(held.key, held);
      while (i < rest.length && comparePlaced(rest[i]!, held, sort) < 0) this.#all.push(rest[i++]!);
      this.#all.push(held);
    }
    while (i < rest.length) this.#all.push(rest[i++]!);
    return this.#changed(first);
  }

  /** Moves a record from the group in which it was to that in which it is, and notes both. */
  #group(key: string, document: Value | undefined, touched: Set<Group>): void {
    const old = this.#records.get(key);
    if (old !== undefined && document !== undefined && equal(old, document)) return;
    if (old !== undefined) touched.add(this.#groups!.put(key, old, -1));
    if (document === undefined) {
      this.#records.delete(key);
    } else {
      this.#records.set(key, document);
      touched.add(this.#groups!.put(key, document, 1));
    }
  }

  /** Makes a row the one of its key, undefined for none. */
  #place(key: string, value: Value | undefined, full: Value | undefined): boolean {
    const old = this.#held.get(key);
    const next = value === undefined ? undefined : this.#make(key, value, full!, old);
    if (next === old) return false;
    if (next) this.#held.set(key, next);
    else this.#held.delete(key);
    const from = old ? this.#find(old) : Infinity;
    if (old) this.#all.splice(from, 1);
    const to = next ? this.#find(next) : Infinity;
    if (next) this.#all.splice(to, 0, next);
    return (next?.shown !== old?.shown || from !== to) && this.#changed(Math.min(from, to));
  }

  /** What there is to hold of a row: the same as before when it did not change. */
  #make(key: string, value: Value, full: Value, old: Held | undefined): Held {
    const { sort, fields } = this.#plan;
    const shown = fields ? project(full, fields) : value;
    const at = sort.map((f) => attributeOf(key, full, f.field));
    const same = old && equal(old.shown.value, shown);
    if (same && equal(old.full, full) && equal(old.at, at)) return old;
    return { key, at, full, shown: same ? old.shown : { key, value: shown } };
  }

  #changed(first: number): boolean {
    if (first >= this.#plan.limit) return false;
    return (this.#stale = true);
  }

  /** Where a row is, or would have to be. */
  #find(held: Held): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (comparePlaced(this.#all[mid]!, held, this.#plan.sort) < 0) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}

/** The values of groups by their keys. A group that became empty may have been made anew. */
function valuesOf(groups: Iterable<Group>): Map<string, Value | undefined> {
  const values = new Map<string, Value | undefined>();
  for (const g of groups) values.set(g.key, g.value() ?? values.get(g.key));
  return values;
}

/** The result of a query over records, and whether the limit left out rows. */
export function runQuery(query: Query, records: Iterable<Entry>, env?: Environment): { rows: readonly Row[]; more: boolean } {
  const live = new LiveRows(planOf(query, env));
  live.load(records);
  return { rows: live.rows, more: live.more };
}
