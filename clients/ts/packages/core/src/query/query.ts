import { compareText } from '../text.js';
import type { Value } from '../value.js';
import { compareValues } from './order.js';
import { project } from './path.js';
import { compilePredicate, compileWhere, QueryError, type Environment as Conditions, type Predicate, type Test } from './predicate.js';

/** An order of rows by an attribute; ascending unless it says otherwise. */
export interface SortField {
  readonly field: string;
  readonly direction?: 'asc' | 'desc';
}

/** An aggregate of each group; count needs no field. */
export interface Aggregation {
  readonly func: 'count' | 'sum' | 'min' | 'max' | 'avg';
  readonly field?: string;
}

/** What is asked of a map, as it is sent. */
export interface Query {
  /** Field to literal, or to an object of operators such as `{ $gte: 1 }`; ignored when there is a predicate. */
  readonly where?: { readonly [field: string]: unknown };
  readonly predicate?: Predicate;
  /** Ties are in the order of keys, and so is a result without a sort. */
  readonly sort?: readonly SortField[];
  readonly limit?: number;
  /** Leaves out all other fields of the values; none means all. */
  readonly fields?: readonly string[];
  readonly groupBy?: readonly string[];
  readonly aggregations?: readonly Aggregation[];
  /** Continues after an earlier result of a server; nothing that is done here looks at it. */
  readonly cursor?: string;
}

/** A record of a result. */
export interface Row<V = Value> {
  readonly key: string;
  readonly value: V;
}

/** The most rows of a result without a limit, and of any. */
export const maxRows = 10_000;

/** Rows grouped by the values of fields, kept as rows come and go. */
export interface Grouping {
  /** Adds a row, or takes out one that was added. */
  put(row: Row, sign: 1 | -1): void;
  /**
   * One row a group. Its key is the text of the values that it is grouped by, in another form where two groups would
   * read alike, and rows are in the order of keys.
   */
  rows(): Row[];
}

/** What queries need besides themselves. */
export interface Environment extends Conditions {
  /**
   * Makes groups: `groupRows`. Without it a grouped query is refused as UNSUPPORTED, and the code for it need not be
   * loaded.
   */
  readonly groups?: (by: readonly string[], aggregations: readonly Aggregation[]) => Grouping;
}

/** A query that has been checked and can be run. */
export interface Plan {
  /** Whether a record is wanted. */
  readonly test: Test;
  /** The attributes by which rows are ordered; rows that are at one in all of them are in the order of their keys. */
  readonly sort: readonly SortField[];
  readonly limit: number;
  /** What is shown of a value. */
  show(value: Value): Value;
  /** Makes groups of the rows; undefined for a query of rows. */
  readonly groups: (() => Grouping) | undefined;
}

/** Checks a query. A QueryError says what is wrong with it. */
export function plan(query: Query, env: Environment = {}): Plan {
  const { predicate, where, sort, limit, fields, groupBy = [], aggregations = [] } = query;
  const test = predicate != null ? compilePredicate(predicate, env) : where != null ? compileWhere(where, env) : () => true;
  const grouped = groupBy.length + aggregations.length > 0;
  aggregations.forEach((a, i) => {
    if (!a.field && a.func !== 'count') throw new QueryError('SYNTAX', `aggregations[${i}]`, `${a.func} needs a field`);
  });
  const { groups } = env;
  if (grouped && !groups) throw new QueryError('UNSUPPORTED', 'groupBy', 'groups');
  return {
    test,
    sort: grouped ? [] : (sort ?? []),
    limit: limit !== undefined && limit >= 0 && limit <= maxRows ? limit : maxRows,
    show: fields?.length && !grouped ? (value) => project(value, fields) : (value) => value,
    groups: grouped ? () => groups!(groupBy, aggregations) : undefined,
  };
}

/** A row with what it is ordered by. */
export interface Placed {
  readonly row: Row;
  readonly at: readonly (Value | undefined)[];
}

/** The order of a result: by the fields, then by key. */
export function comparePlaced(a: Placed, b: Placed, sort: readonly SortField[]): number {
  for (let i = 0; i < sort.length; i++) {
    const c = compareValues(a.at[i], b.at[i]);
    if (c) return sort[i]!.direction === 'desc' ? -c : c;
  }
  return compareText(a.row.key, b.row.key);
}
