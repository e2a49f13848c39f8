import { equal, type Value } from '../value.js';
import { lookup } from './path.js';
import { comparePlaced, plan as planOf, type Environment, type Grouping, type Placed, type Plan, type Query, type Row } from './query.js';

/** A row that is wanted: where it is, and what of it is shown. */
interface Held extends Placed {
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
  readonly #byKey = new Map<string, Held>();
  /** All rows that are wanted, in order, also those beyond the limit; empty for groups. */
  #all: Held[] = [];
  #groups: Grouping | undefined;
  /** What rows last gave, and whether it is out of date. */
  #rows: readonly Row[] = [];
  #stale = false;
  #plan: Plan;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#groups = plan.groups?.();
  }

  /** The rows within the limit, or the groups. */
  get rows(): readonly Row[] {
    if (this.#stale) {
      this.#stale = false;
      const { limit } = this.#plan;
      const rows = this.#groups ? this.#kept(this.#groups.rows().slice(0, limit)) : this.#all.slice(0, limit).map((h) => h.shown);
      if (rows.length !== this.#rows.length || rows.some((r, i) => r !== this.#rows[i])) this.#rows = rows;
    }
    return this.#rows;
  }

  /** Groups, as the objects that they were before where they are the same. */
  #kept(groups: Row[]): Row[] {
    const before = new Map(this.#rows.map((r) => [r.key, r]));
    return groups.map((g) => {
      const was = before.get(g.key);
      return was && equal(was.value, g.value) ? was : g;
    });
  }

  /** Whether the limit left out rows. */
  get more(): boolean {
    return this.#all.length > this.#plan.limit;
  }

  /** Says what the value of a record is, undefined when there is none any more. Returns whether rows may have changed. */
  set(key: string, value: Value | undefined): boolean {
    const old = this.#byKey.get(key);
    const next = value === undefined ? undefined : this.#held(key, value, old);
    if (next === old) return false;
    if (next) this.#byKey.set(key, next);
    else this.#byKey.delete(key);
    if (this.#groups) {
      if (old) this.#groups.put(old.row, -1);
      if (next) this.#groups.put(next.row, 1);
      return (this.#stale = true);
    }
    const from = old ? this.#find(old) : Infinity;
    if (old) this.#all.splice(from, 1);
    const to = next ? this.#find(next) : Infinity;
    if (next) this.#all.splice(to, 0, next);
    return this.#changed(Math.min(from, to), next?.shown === old?.shown && from === to);
  }

  /**
   * Says the values of many records, which is faster than one by one; a large map is loaded in pieces, so that none takes
   * long.
   * Returns whether rows may have changed.
   */
  load(records: Iterable<readonly [key: string, value: Value]>): boolean {
    return this.#load(records, new Map());
  }

  /**
   * Starts again with other records, and with another plan if there is one. Rows that are shown as before stay the same
   * objects.
   */
  replace(records: Iterable<readonly [key: string, value: Value]>, plan = this.#plan): void {
    const old = new Map(this.#byKey);
    // What rows are ordered by belongs to the plan.
    if (plan !== this.#plan) for (const [key, h] of old) old.set(key, { ...h, at: plan.sort.map((f) => lookup(h.row.value, f.field)) });
    this.#plan = plan;
    this.#groups = plan.groups?.();
    this.#all = [];
    this.#byKey.clear();
    this.#load(records, old);
    this.#stale = true;
  }

  #load(records: Iterable<readonly [string, Value]>, old: Map<string, Held>): boolean {
    const fresh: Held[] = [];
    for (const [key, value] of records) {
      if (this.#byKey.has(key)) {
        this.set(key, value);
        continue;
      }
      const held = this.#held(key, value, old.get(key));
      if (!held) continue;
      fresh.push(held);
      this.#byKey.set(key, held);
      this.#groups?.put(held.row, 1);
    }
    if (!fresh.length) return false;
    if (this.#groups) return (this.#stale = true);
    fresh.sort((a, b) => comparePlaced(a, b, this.#plan.sort));
    const first = this.#find(fresh[0]!);
    const rest = this.#all.splice(first);
    let i = 0;
    for (const held of fresh) {
      while (i < rest.length && comparePlaced(rest[i]!, held, this.#plan.sort) < 0) this.#all.push(rest[i++]!);
      this.#all.push(held);
    }
    while (i < rest.length) this.#all.push(rest[i++]!);
    return this.#changed(first, false);
  }

  /** What there is to hold of a record: nothing when it is not wanted, the same as before when it did not change. */
  #held(key: string, value: Value, old: Held | undefined): Held | undefined {
    const { test, sort, show } = this.#plan;
    if (!test(key, value)) return undefined;
    const shown = show(value);
    const same = old && equal(old.shown.value, shown);
    if (same && equal(old.row.value, value)) return old;
    const row = { key, value };
    return {
      row,
      at: sort.map((f) => lookup(value, f.field)),
      shown: same ? old.shown : shown === value ? row : { key, value: shown },
    };
  }

  #changed(first: number, same: boolean): boolean {
    if (same || first >= this.#plan.limit) return false;
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

/** The result of a query over records, and whether the limit left out rows. */
export function runQuery(query: Query, records: Iterable<readonly [key: string, value: Value]>, env?: Environment): { rows: readonly Row[]; more: boolean } {
  const live = new LiveRows(planOf(query, env));
  live.load(records);
  return { rows: live.rows, more: live.more };
}
