// Live results against the query run again on everything, groups and sums against what they are made of.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  all,
  any,
  attributeOf,
  compareText,
  compareValues,
  compilePredicate,
  compileRegex,
  conditions,
  equal,
  groupRows,
  LiveRows,
  lookup,
  not,
  plan,
  project,
  query,
  QueryError,
  runQuery,
  type Environment,
  type Query,
  type Row,
  type TypedQuery,
  type Value,
} from '../src/index.js';
import { encodeNormal } from '../src/encode.js';
import { sha256 } from '../src/query/sha256.js';
import { Sum } from '../src/query/sum.js';
import { toBase64 } from './vectors.js';

const env: Environment = { regex: compileRegex, groups: groupRows };
const plain = { noNullPrototype: true };

const scalar = fc.constantFrom<Value>(null, true, false, 0, 1, 2, 1n, -1.5, 0.1, 2n ** 60n, 2 ** 60, NaN, '', 'a', 'b', 'B', '1', 'null', '😀', '\uffff');
const document = fc.dictionary(fc.constantFrom('a', 'b', 'c.d'), fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.record({ d: scalar }, plain)), { maxKeys: 3, ...plain });
const attribute = fc.constantFrom('a', 'b', 'c.d', 'a.d', 'b.0', '_key');
const condition = fc.oneof(
  fc.record({ op: fc.constantFrom('eq', 'neq', 'gt', 'lte'), attribute, value: scalar }, plain),
  fc.record({ op: fc.constantFrom('isNull', 'isNotNull'), attribute }, plain),
  fc.record({ op: fc.constant('like'), attribute, value: fc.constantFrom('a%', '%', '_') }, plain),
);
const anyQuery = fc.record(
  {
    predicate: condition,
    sort: fc.array(fc.record({ field: attribute, direction: fc.constantFrom('asc', 'desc') }, plain), { maxLength: 2 }),
    limit: fc.nat(4),
    fields: fc.uniqueArray(fc.constantFrom('a', 'b', 'c.d'), { maxLength: 2 }),
  },
  { requiredKeys: [], ...plain },
) as fc.Arbitrary<Query>;
const groupQuery = fc.record(
  {
    predicate: condition,
    groupBy: fc.uniqueArray(fc.constantFrom('a', 'c.d'), { maxLength: 2 }),
    aggregations: fc.constant((['sum', 'avg', 'min', 'max'] as const).map((func) => ({ func, field: 'b' }))),
    limit: fc.integer({ min: 1, max: 20 }),
    sort: fc.constantFrom([], [{ field: '__count', direction: 'desc' }], [{ field: '__max_b' }, { field: '_key', direction: 'desc' }]),
    fields: fc.constantFrom([], ['__sum_b', 'a']),
  },
  { requiredKeys: ['groupBy', 'aggregations'], ...plain },
) as fc.Arbitrary<Query>;

/** What a query must give, computed without what is tested. */
function oracle(q: Query, records: Map<string, Value>): { rows: Row[]; more: boolean } {
  const holds = q.predicate ? compilePredicate(q.predicate, env) : () => true;
  const wanted = [...records].filter(([k, v]) => holds(k, v)).map(([key, value]) => ({ key, value }));
  const limit = q.limit ?? 10_000;
  if (q.groupBy) {
    const groups = oracleGroups(q, wanted);
    return { rows: groups.slice(0, limit), more: groups.length > limit };
  }
  wanted.sort((a, b) => {
    for (const { field, direction } of q.sort ?? []) {
      const c = compareValues(attributeOf(a.key, a.value, field), attributeOf(b.key, b.value, field));
      if (c) return direction === 'desc' ? -c : c;
    }
    return compareText(a.key, b.key);
  });
  const rows = wanted.slice(0, limit).map(({ key, value }) => ({ key, value: q.fields?.length ? project(value, q.fields) : value }));
  return { rows, more: wanted.length > limit };
}

function oracleGroups(q: Query, rows: Row[]): Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const id = q.groupBy!.map((f) => toBase64(encodeNormal(lookup(row.value, f)))).join();
    groups.set(id, [...(groups.get(id) ?? []), row]);
  }
  return [...groups].map(([id, members]) => {
    const values = members.map((r) => lookup(r.value, 'b') ?? null).filter((v) => v !== null);
    const numbers = values.filter((v) => typeof v === 'number' || typeof v === 'bigint');
    const sorted = [...values].sort(compareValues);
    return {
      key: id,
      value: { __count: members.length, sum: exactSum(numbers), avg: numbers.length ? exactSum(numbers) / numbers.length : null, min: sorted[0] ?? null, max: sorted.at(-1) ?? null },
    };
  });
}

/** The sum of numbers with up to 1074 places behind the point, rounded once. */
function exactSum(numbers: (number | bigint)[]): number {
  let units = 0n;
  let odd = 0;
  for (const v of numbers) {
    if (typeof v === 'bigint') units += v << 1074n;
    else if (!Number.isFinite(v)) odd += v;
    else {
      // A number is a fraction of a power of two; doubling it often enough makes it whole.
      let [whole, doubled] = [v, 0n];
      while (!Number.isInteger(whole)) [whole, doubled] = [whole * 2, doubled + 1n];
      units += (BigInt(whole) << 1074n) >> doubled;
    }
  }
  if (odd !== 0) return odd;
  // Parsing decimal digits rounds correctly.
  const sign = units < 0n ? '-' : '';
  const digits = (units < 0n ? -units : units) * 5n ** 1074n;
  return Number(`${sign}${digits}e-1074`);
}

const change = fc.tuple(fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5', '😀', '\uffff'), fc.option(document, { nil: undefined }));

test('a live result is the query run again, and what did not change stays the same object', () => {
  fc.assert(
    fc.property(fc.oneof(anyQuery, groupQuery), fc.array(change, { maxLength: 25 }), fc.nat(10), anyQuery, (q, changes, loaded, next) => {
      const live = new LiveRows(plan(q, env));
      const records = new Map<string, Value>();
      const check = (before: readonly Row[], changed: boolean) => {
        const { rows, more } = live;
        const again = runQuery(q, records, env);
        assert.equal(more, again.more);
        assert.ok(equal(rows, again.rows), 'as if it were run again');
        const want = oracle(q, records);
        assert.equal(more, want.more);
        if (!q.groupBy) assert.ok(equal(rows, want.rows), 'as the oracle says');
        else assert.equal(rows.length, Math.min(want.rows.length, q.limit ?? 10_000));
        if (!changed) assert.equal(rows, before);
        if (equal(rows, before)) assert.equal(rows, before, 'the same list');
        for (const r of rows) {
          const was = before.find((b) => b.key === r.key);
          if (was && equal(was.value, r.value)) assert.equal(was, r, 'the same row');
        }
        assert.equal(live.rows, rows);
      };
      const piece = changes.splice(0, loaded);
      for (const [k, v] of piece) if (v) records.set(k, v);
      const first = live.rows;
      const half = records.size >> 1;
      let changed = live.load([...records].slice(0, half));
      changed = live.load([...records].slice(half)) || changed;
      check(first, changed);
      for (const [k, v] of changes) {
        const before = live.rows;
        if (v === undefined) records.delete(k);
        else records.set(k, v);
        check(before, live.set(k, v));
      }
      const before = live.rows;
      live.replace(records);
      check(before, true);
      const other = plan(next, env);
      live.replace(records, other);
      assert.ok(equal(live.rows, runQuery(next, records, env).rows));
      for (const r of live.rows) {
        const was = before.find((b) => b.key === r.key);
        if (was && equal(was.value, r.value)) assert.equal(was, r);
      }
    }),
    { numRuns: 300 },
  );
});

test('groups are made of their rows', () => {
  fc.assert(
    fc.property(groupQuery, fc.array(change, { maxLength: 30 }), (q, changes) => {
      const live = new LiveRows(plan({ ...q, limit: 1000, fields: [] }, env));
      const records = new Map<string, Value>();
      for (const [k, v] of changes) {
        live.set(k, v);
        if (v === undefined) records.delete(k);
        else records.set(k, v);
      }
      const want = oracle({ ...q, limit: 1000 }, records).rows.map((r) => Object.values(r.value as { [name: string]: Value }));
      const got = live.rows.map((r) => {
        const v = r.value as { [name: string]: Value };
        assert.equal(v['__key'], r.key);
        return [v['__count'], v['__sum_b'], v['__avg_b'], v['__min_b'], v['__max_b']];
      });
      assert.equal(new Set(live.rows.map((r) => r.key)).size, live.rows.length);
      const sorted = (rows: readonly (readonly unknown[])[]) => [...rows].sort(compareValues);
      assert.ok(equal(sorted(got), sorted(want)), `${JSON.stringify(got, big)} is not ${JSON.stringify(want, big)}`);
    }),
    { numRuns: 500 },
  );
});

const big = (_: string, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v);

test('the digest is SHA-256', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.equal(sha256(bytes), createHash('sha256').update(bytes).digest('hex'))));
});

test('sums are exact, whatever was put in and taken out in whatever order', () => {
  const number = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -5e-324, 0.1, 2 ** 53, 2 ** 53 + 2, -(2 ** 62), 1e300, 1e-300, NaN, Infinity, -Infinity),
  );
  fc.assert(
    fc.property(fc.array(number), fc.array(number), (stay, go) => {
      const sum = new Sum();
      for (const v of [...go, ...stay]) sum.put(v, 1);
      for (const v of go) sum.put(v, -1);
      assert.equal(sum.count, stay.length);
      assert.ok(Object.is(sum.value() + 0, exactSum(stay) + 0), `${sum.value()} is not ${exactSum(stay)}`);
    }),
    { numRuns: 500 },
  );
});

test('queries that cannot be answered here say why', () => {
  for (const [q, code, path] of [
    [{ groupBy: ['a'] }, 'UNSUPPORTED', 'groupBy'],
    [{ predicate: { op: 'regex', attribute: 'a', value: 'x' } }, 'UNSUPPORTED', 'predicate.op'],
  ] as [Query, string, string][]) {
    assert.throws(() => plan(q), (e) => e instanceof QueryError && e.code === code && e.path === path);
    plan(q, env);
  }
  assert.throws(() => plan({ aggregations: [{ func: 'sum' }] }, env), { path: 'aggregations[0].field' });
});

// Types. A line that must not compile says so; the type checker fails when it does.

interface Todo {
  title: string;
  done: boolean;
  order: number;
  color?: 'red' | 'blue';
  tags: string[];
  owner: { name: string; age?: number };
  parts: { id: number }[];
  parent?: Todo;
}

type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => undefined;
type RowOf<Q> = Q extends TypedQuery<infer R> ? R : never;

test('the builder builds what is sent, and the compiler knows the types', () => {
  const is = conditions<Todo>();
  const q = query<Todo>()
    .where('done', 'eq', false)
    .where(any(is('color', 'in', ['red']), not(is('owner.name', 'startsWith', 'A')), all(is('tags', 'contains', 'x'), is('parts.0.id', 'gt', 1))))
    .where('parent.parent.title', 'isNotNull')
    .where('_key', 'gte', 'k')
    .sortBy('order', 'desc')
    .sortBy('owner.age')
    .sortBy('_key', 'desc')
    .limit(20)
    .select('title', 'owner.name');
  assert.deepEqual(JSON.parse(JSON.stringify(q.build())), {
    predicate: {
      op: 'and',
      children: [
        {
          op: 'and',
          children: [
            {
              op: 'and',
              children: [
                { op: 'eq', attribute: 'done', value: false },
                {
                  op: 'or',
                  children: [
                    { op: 'in', attribute: 'color', value: ['red'] },
                    { op: 'not', children: [{ op: 'startsWith', attribute: 'owner.name', value: 'A' }] },
                    {
                      op: 'and',
                      children: [
                        { op: 'contains', attribute: 'tags', value: 'x' },
                        { op: 'gt', attribute: 'parts.0.id', value: 1 },
                      ],
                    },
                  ],
                },
              ],
            },
            { op: 'isNotNull', attribute: 'parent.parent.title' },
          ],
        },
        { op: 'gte', attribute: '_key', value: 'k' },
      ],
    },
    sort: [
      { field: 'order', direction: 'desc' },
      { field: 'owner.age', direction: 'asc' },
      { field: '_key', direction: 'desc' },
    ],
    limit: 20,
    fields: ['title', 'owner.name'],
  });
  const built = q.build();
  same<RowOf<typeof built>, { title?: string; 'owner.name'?: string }>(true);
  const whole = query<Todo>().build();
  same<RowOf<typeof whole>, Todo>(true);
  const groups = query<Todo>().where('done', 'eq', true).groupBy('color', 'owner.name').sum('order').avg('order').max('title').limit(5).build();
  type Group = RowOf<typeof groups>;
  same<Group['color'], 'red' | 'blue' | null>(true);
  same<Group['__count'], number>(true);
  same<Group['__sum_order'], number>(true);
  same<Group['__avg_order'], number | null>(true);
  same<Group['__max_title'], string | null>(true);
  assert.deepEqual(groups, {
    predicate: { op: 'eq', attribute: 'done', value: true },
    groupBy: ['color', 'owner.name'],
    aggregations: [{ func: 'count' }, { func: 'sum', field: 'order' }, { func: 'avg', field: 'order' }, { func: 'max', field: 'title' }],
    limit: 5,
  });
  assert.deepEqual(query<Todo>().groupBy().min('order').build().aggregations, [{ func: 'count' }, { func: 'min', field: 'order' }]);
  assert.deepEqual(query<Todo>().groupBy('color').sum('order').sortBy('__sum_order', 'desc').sortBy('color').limit(3).build().sort, [
    { field: '__sum_order', direction: 'desc' },
    { field: 'color', direction: 'asc' },
  ]);
  assert.deepEqual(query().where('anything.at.all', 'eq', 5).sortBy('x').after('c').build(), {
    predicate: { op: 'eq', attribute: 'anything.at.all', value: 5 },
    sort: [{ field: 'x', direction: 'asc' }],
    cursor: 'c',
  });

  // @ts-expect-error there is no such attribute
  is('titel', 'eq', 'x');
  // @ts-expect-error there is no such attribute below it
  is('owner.nam', 'eq', 'x');
  // @ts-expect-error a text is not compared with a number
  is('title', 'eq', 5);
  // @ts-expect-error there is no such color
  is('color', 'eq', 'green');
  // @ts-expect-error a number has no beginning
  is('order', 'startsWith', '1');
  // @ts-expect-error a list is in no order
  is('tags', 'gt', 'x');
  // @ts-expect-error isNull compares with nothing
  is('tags', 'isNull', 1);
  // @ts-expect-error between takes two
  is('order', 'between', [1]);
  // @ts-expect-error an element of the list is a text
  is('tags', 'contains', 5);
  // @ts-expect-error records have no such path
  query<Todo>().sortBy('owner.size');
  // @ts-expect-error records have no such path
  query<Todo>().select('size');
  // @ts-expect-error groups have no such sum
  query<Todo>().groupBy('color').sortBy('__sum_order');
  // @ts-expect-error a condition on other records
  query<Todo>().where(conditions<{ size: number }>()('size', 'eq', 1));
});
