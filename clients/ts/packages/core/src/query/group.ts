import { canonical } from '../canonical.js';
import { compareText } from '../text.js';
import type { Value } from '../value.js';
import { compareValues } from './order.js';
import { lookup } from './path.js';
import type { Aggregation, Grouping, Row } from './query.js';
import { Sum } from './sum.js';

/** Groups rows by the values of fields and aggregates them; handed to plan where queries may be grouped. */
export function groupRows(by: readonly string[], aggregations: readonly Aggregation[]): Grouping {
  return new Groups(by, aggregations);
}

class Groups implements Grouping {
  readonly #groups = new Map<string, Group>();

  constructor(
    private readonly by: readonly string[],
    private readonly aggregations: readonly Aggregation[],
  ) {}

  put(row: Row, sign: 1 | -1): void {
    const values = this.by.map((f) => lookup(row.value, f) ?? null);
    const id = canonical(values);
    let group = this.#groups.get(id);
    if (!group) {
      group = new Group(id, values, this.aggregations);
      this.#groups.set(id, group);
    }
    group.put(row, sign);
    if (!group.rows.size) this.#groups.delete(id);
  }

  rows(): Row[] {
    const called = new Map<string, number>();
    for (const { name } of this.#groups.values()) called.set(name, (called.get(name) ?? 0) + 1);
    const rows: Row[] = [];
    for (const g of this.#groups.values()) rows.push(g.row(called.get(g.name)! > 1 ? g.id : g.name, this.by));
    return rows.sort((a, b) => compareText(a.key, b.key));
  }
}

class Group {
  /** The text of the values. */
  readonly name: string;
  readonly rows = new Set<Row>();
  readonly #aggregates: (Aggregate | undefined)[];

  constructor(
    /** Different for different values. */
    readonly id: string,
    readonly values: readonly Value[],
    aggregations: readonly Aggregation[],
  ) {
    this.name = values.map(canonical).join('|');
    this.#aggregates = aggregations.map((a) => (a.func === 'count' ? undefined : new Aggregate(a.func, a.field!)));
  }

  put(row: Row, sign: 1 | -1): void {
    if (sign > 0) this.rows.add(row);
    else this.rows.delete(row);
    for (const a of this.#aggregates) a?.put(row, sign);
  }

  row(key: string, by: readonly string[]): Row {
    const fields: [string, Value][] = [
      ['__key', key],
      ['__count', this.rows.size],
    ];
    by.forEach((f, i) => fields.push([f, this.values[i]!]));
    for (const a of this.#aggregates) if (a) fields.push([`__${a.func}_${a.field}`, a.value(this.rows)]);
    return { key, value: Object.fromEntries(fields) };
  }
}

/** Sum and average are of numbers; least and greatest are by the order of values. */
class Aggregate {
  readonly #sum = new Sum();
  /** The least or greatest value; undefined when it has to be looked for, null when there is none. */
  #edge: Value | undefined = null;

  constructor(
    readonly func: 'sum' | 'min' | 'max' | 'avg',
    readonly field: string,
  ) {}

  put(row: Row, sign: 1 | -1): void {
    const v = lookup(row.value, this.field) ?? null;
    if (v === null) return;
    if (typeof v === 'number' || typeof v === 'bigint') this.#sum.put(v, sign);
    if (this.#edge === undefined) return;
    if (sign > 0) this.#edge = this.#further(v, this.#edge);
    else if (compareValues(v, this.#edge) === 0) this.#edge = undefined;
  }

  #further(v: Value, edge: Value): Value {
    if (edge === null) return v;
    const c = compareValues(v, edge);
    return (this.func === 'min' ? c < 0 : c > 0) ? v : edge;
  }

  value(rows: Iterable<Row>): Value {
    if (this.func === 'sum') return this.#sum.value();
    if (this.func === 'avg') return this.#sum.count ? this.#sum.value() / this.#sum.count : null;
    if (this.#edge === undefined) {
      let edge: Value = null;
      for (const row of rows) {
        const v = lookup(row.value, this.field) ?? null;
        if (v !== null) edge = this.#further(v, edge);
      }
      this.#edge = edge;
    }
    return this.#edge;
  }
}
