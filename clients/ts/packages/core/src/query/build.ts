import type { Ext, Value } from '../value.js';
import type { Comparison, Predicate } from './predicate.js';
import type { Aggregation, Query, SortField } from './query.js';

type Scalar = string | number | bigint | boolean | null | undefined | Uint8Array | Ext;

/** How deep paths are followed; a type may contain itself. */
type Deeper = [never, 0, 1, 2, 3, 4];

type Join<K extends string, Rest extends string> = [Rest] extends [never] ? K : K | `${K}.${Rest}`;

/** The paths of a record type: names of fields, joined by dots. Any text where the type does not say what is inside. */
export type Path<T, Depth extends number = 5> = unknown extends T
  ? string
  : [Depth] extends [never]
    ? never
    : T extends Scalar
      ? never
      : T extends readonly (infer E)[]
        ? Join<`${number}`, Path<NonNullable<E>, Deeper[Depth]>>
        : { [K in keyof T & string]: string extends K ? string : Join<K, Path<NonNullable<T[K]>, Deeper[Depth]>> }[keyof T & string];

/** What there is at a path of a record type, if it is there. */
export type PathValue<T, P extends string> = unknown extends T
  ? Value
  : T extends readonly (infer E)[]
    ? P extends `${number}.${infer Rest}`
      ? PathValue<NonNullable<E>, Rest>
      : E
    : P extends keyof T
      ? NonNullable<T[P]>
      : P extends `${infer K}.${infer Rest}`
        ? K extends keyof T
          ? PathValue<NonNullable<T[K]>, Rest>
          : never
        : P extends '_key'
          ? string
          : never;

/** The attributes that can be asked for: the paths of the record, and its key. */
type Attribute<T> = Path<T> | '_key';

type Always = 'eq' | 'neq' | 'isNull' | 'isNotNull';
type Ordered = 'gt' | 'gte' | 'lt' | 'lte' | 'between' | 'in';
type OfText = 'like' | 'regex' | 'startsWith' | 'endsWith' | 'contains' | 'containsAll' | 'containsAny';
type OfList = 'in' | 'contains' | 'containsAll' | 'containsAny';

/** The operators that can be true of a value of a type. */
export type OperatorOf<V> = unknown extends V
  ? Comparison
  : Always | (V extends string ? Ordered | OfText : V extends number | bigint | boolean ? Ordered : V extends readonly unknown[] ? OfList : never);

/** What an operator compares a value of a type with; nothing for isNull and isNotNull. */
export type Operand<V, O> = O extends 'isNull' | 'isNotNull'
  ? []
  : O extends 'eq' | 'neq'
    ? [value: V | null]
    : O extends 'between'
      ? [value: readonly [low: V, high: V]]
      : O extends 'in'
        ? [value: V extends readonly (infer E)[] ? E : readonly V[]]
        : O extends 'contains'
          ? [value: V extends readonly (infer E)[] ? E : string]
          : O extends 'containsAll' | 'containsAny'
            ? [value: V extends readonly (infer E)[] ? readonly E[] : readonly string[]]
            : O extends OfText
              ? [value: string]
              : [value: V];

declare const of: unique symbol;

/** A condition on records of a type. */
export type Condition<T> = Predicate & { readonly [of]?: (record: T) => void };

/** A query of which it is known what the values of its rows are. */
export type TypedQuery<R> = Query & { readonly [of]?: R };

/**
 * Makes conditions on records of a type: `const is = conditions<Todo>(); is('owner.name', 'startsWith', 'A')`. The
 * compiler knows which attributes there are, which operators can be true of each, and what they compare it with.
 */
export function conditions<T>() {
  return <P extends Attribute<T>, O extends OperatorOf<PathValue<T, P>>>(attribute: P, op: O, ...value: Operand<PathValue<T, P>, O>): Condition<T> =>
    comparison(attribute, op as Comparison, value);
}

function comparison(attribute: string, op: Comparison, value: readonly unknown[]): Predicate {
  return value.length ? { op, attribute, value: value[0] } : { op, attribute };
}

/** The condition that all of some hold; without any it holds. */
export function all<T>(...conditions: readonly Condition<T>[]): Condition<T> {
  return { op: 'and', children: conditions };
}

/** The condition that one of some holds; without any it does not hold. */
export function any<T>(...conditions: readonly Condition<T>[]): Condition<T> {
  return { op: 'or', children: conditions };
}

/** The condition that another one does not hold. */
export function not<T>(condition: Condition<T>): Condition<T> {
  return { op: 'not', children: [condition] };
}

/** What is left of a record when only some paths of it are asked for; each path is the name of what it finds. */
export type Selected<T, P extends string> = { [K in P]?: PathValue<T, K> };

/** A row of a grouped query. */
export type GroupOf<T, By extends string, A extends { readonly [name: string]: unknown }> = {
  readonly __key: string;
  readonly __count: number;
} & { readonly [K in By]: PathValue<T, K> | null } & A;

type AggregateOf<F extends 'sum' | 'avg' | 'min' | 'max', T, P extends string> = {
  readonly [K in `__${F}_${P}`]: F extends 'sum' ? number : F extends 'avg' ? number | null : PathValue<T, P> | null;
};

/**
 * Builds a query step by step; each step gives another one and leaves what it was made of as it is.
 *
 *     query<Todo>().where('done', 'eq', false).sortBy('order').limit(20).build()
 */
export function query<T = unknown>(): QueryBuilder<T, T> {
  return new QueryBuilder<T, T>({});
}

function sorted(query: Query, field: string, direction: 'asc' | 'desc' = 'asc'): Query {
  const sort: SortField[] = [...(query.sort ?? []), { field, direction }];
  return { ...query, sort };
}

export class QueryBuilder<T, R> {
  constructor(private readonly query: Query) {}

  #with<N = R>(more: Query): QueryBuilder<T, N> {
    return new QueryBuilder<T, N>({ ...this.query, ...more });
  }

  /** Rows for which a condition holds, besides those before. */
  where(condition: Condition<T>): QueryBuilder<T, R>;
  where<P extends Attribute<T>, O extends OperatorOf<PathValue<T, P>>>(attribute: P, op: O, ...value: Operand<PathValue<T, P>, O>): QueryBuilder<T, R>;
  where(condition: Condition<T> | string, op?: Comparison, ...value: unknown[]): QueryBuilder<T, R> {
    const next = typeof condition === 'string' ? comparison(condition, op!, value) : condition;
    const { predicate } = this.query;
    return this.#with({ predicate: predicate ? { op: 'and', children: [predicate, next] } : next });
  }

  /** Orders rows that are at one in what they were ordered by before. */
  sortBy(field: Attribute<T>, direction?: 'asc' | 'desc'): QueryBuilder<T, R> {
    return this.#with(sorted(this.query, field, direction));
  }

  /** No more than so many rows. */
  limit(limit: number): QueryBuilder<T, R> {
    return this.#with({ limit });
  }

  /** Continues after an earlier result of a server. */
  after(cursor: string): QueryBuilder<T, R> {
    return this.#with({ cursor });
  }

  /** Leaves out all other fields of the values. */
  select<P extends Path<T>>(...fields: readonly P[]): QueryBuilder<T, Selected<T, P>> {
    return this.#with({ fields });
  }

  /** One row for all records that agree in some fields; without any, one for all. */
  groupBy<P extends Path<T> = never>(...fields: readonly P[]): GroupBuilder<T, P, {}> {
    return new GroupBuilder({ ...this.query, groupBy: fields, aggregations: [{ func: 'count' }] });
  }

  /** The query. */
  build(): TypedQuery<R> {
    return this.query;
  }
}

export class GroupBuilder<T, By extends string, A extends { readonly [name: string]: unknown }> {
  constructor(private readonly query: Query) {}

  #and<N extends { readonly [name: string]: unknown }>(aggregation: Aggregation): GroupBuilder<T, By, A & N> {
    return new GroupBuilder({ ...this.query, aggregations: [...(this.query.aggregations ?? []), aggregation] });
  }

  /** The sum of the numbers in a field. */
  sum<P extends Path<T>>(field: P): GroupBuilder<T, By, A & AggregateOf<'sum', T, P>> {
    return this.#and({ func: 'sum', field });
  }

  /** The average of the numbers in a field; null without any. */
  avg<P extends Path<T>>(field: P): GroupBuilder<T, By, A & AggregateOf<'avg', T, P>> {
    return this.#and({ func: 'avg', field });
  }

  /** The least value of a field. */
  min<P extends Path<T>>(field: P): GroupBuilder<T, By, A & AggregateOf<'min', T, P>> {
    return this.#and({ func: 'min', field });
  }

  /** The greatest value of a field. */
  max<P extends Path<T>>(field: P): GroupBuilder<T, By, A & AggregateOf<'max', T, P>> {
    return this.#and({ func: 'max', field });
  }

  /** Orders groups that are at one in what they were ordered by before: by what they agree in, how many, an aggregate. */
  sortBy(field: keyof GroupOf<T, By, A> & string, direction?: 'asc' | 'desc'): GroupBuilder<T, By, A> {
    return new GroupBuilder(sorted(this.query, field, direction));
  }

  /** No more than so many groups. */
  limit(limit: number): GroupBuilder<T, By, A> {
    return new GroupBuilder({ ...this.query, limit });
  }

  /** The query. */
  build(): TypedQuery<GroupOf<T, By, A>> {
    return this.query;
  }
}
