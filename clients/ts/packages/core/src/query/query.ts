import { compareText } from '../text.js';
import type { Value } from '../value.js';
import { compareValues } from './order.js';
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

/** Records grouped by the values of attributes. */
export interface Grouping {
  /** Adds a record, or takes out one that was added. Returns its group. */
  put(key: string, document: Value, sign: 1 | -1): Group;
}

/** The records that agree in what they are grouped by. */
export interface Group {
  /** The values that they are grouped by, so that no two groups have the same key. */
  readonly key: string;
  /** The values, `__key`, `__count` and the aggregates; undefined when no record is left. */
  value(): Value | undefined;
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
  /** The fields that are shown; undefined for all. */
  readonly fields: readonly string[] | undefined;
  /** Makes groups of the records; undefined for a query of records. */
  readonly groups: (() => Grouping) | undefined;
}

const maxSizes = { sort: 16, fields: 256, groupBy: 16, aggregations: 64 };

/** Checks a query. A QueryError says what is wrong with it. */
export function plan(query: Query, env: Environment = {}): Plan {
  const { predicate, where, sort = [], limit, fields = [], groupBy = [], aggregations = [] } = query;
  for (const [name, list] of Object.entries({ sort, fields, groupBy, aggregations })) {
    const most = maxSizes[name as keyof typeof maxSizes];
    if (list.length > most) throw new QueryError('LIMIT', `${name}[${most}]`, `at most ${most} are possible`);
  }
  const test = predicate != null ? compilePredicate(predicate, env) : where != null ? compileWhere(where, env) : () => true;
  const grouped = groupBy.length + aggregations.length > 0;
  aggregations.forEach((a, i) => {
    if (!a.field && a.func !== 'count') throw new QueryError('SYNTAX', `aggregations[${i}].field`, `${a.func} needs a field`);
  });
  const { groups } = env;
  if (grouped && !groups) throw new QueryError('UNSUPPORTED', 'groupBy', 'groups');
  return {
    test,
    sort,
    limit: limit !== undefined && limit >= 0 && limit <= maxRows ? limit : maxRows,
    fields: fields.length ? fields : undefined,
    groups: grouped ? () => groups!(groupBy, aggregations) : undefined,
  };
}

/** A row with what it is ordered by. */
export interface Placed {
  readonly key: string;
  readonly at: readonly (Value | undefined)[];
}

/** The order of a result: by the attributes, then by key. */
export function comparePlaced(a: Placed, b: Placed, sort: readonly SortField[]): number {
  for (let i = 0; i < sort.length; i++) {
    const c = compareValues(a.at[i], b.at[i]);
    if (c) return sort[i]!.direction === 'desc' ? -c : c;
  }
  return compareText(a.key, b.key);
}
