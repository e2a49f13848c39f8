import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareText,
  compareUnits,
  compareValues,
  compilePredicate,
  compileRegex,
  compileWhere,
  equal,
  lookup,
  groupRows,
  QueryError,
  runQuery,
  type Environment,
  type Query,
  type Value,
} from '../src/index.js';
import { encodeNormal } from '../src/encode.js';
import { answer, type ConditionFile } from './conditions.js';
import { check, fromJSON, toBase64, toJSON } from './vectors.js';

const env: Environment = { regex: compileRegex };

/** The QueryError that f throws. */
function refusal(f: () => unknown): QueryError {
  try {
    f();
  } catch (e) {
    assert.ok(e instanceof QueryError, String(e));
    return e;
  }
  assert.fail('nothing was refused');
}

interface HoldsFile {
  key: string;
  doc: unknown;
  auth?: unknown;
  cases: { predicate?: unknown; where?: unknown; holds: boolean }[];
  refused: { predicate?: unknown; where?: unknown; at: string }[];
}

for (const [name, compile] of [
  ['predicate', compilePredicate],
  ['where', compileWhere],
] as const) {
  test(`vectors of ${name}`, () => {
    check<HoldsFile>(`query/${name}.json`, (f) => {
      const all = f.auth === undefined ? env : { ...env, auth: fromJSON(f.auth) };
      for (const c of f.cases) c.holds = compile(fromJSON(c[name]), all)(f.key, fromJSON(f.doc));
      for (const c of f.refused) c.at = refusal(() => compile(fromJSON(c[name]), all)).path;
    });
  });
}

for (const name of ['conditions', 'random']) {
  test(`vectors of ${name}`, () => check<ConditionFile>(`query/${name}.json`, answer));
}

test('vectors of paths', () => {
  check<{ paths: string[]; cases: { document: unknown; found: { path: string; value: unknown }[] }[] }>('query/paths.json', (f) => {
    for (const c of f.cases) {
      const doc = fromJSON(c.document);
      c.found = f.paths
        .map((path) => ({ path, value: lookup(doc, path) }))
        .filter((p) => p.value !== undefined)
        .map((p) => ({ path: p.path, value: toJSON(p.value!, compareUnits) }));
    }
  });
});

test('vectors of the order of values', () => {
  check<{ values: unknown[]; classes: number[][] }>('query/order.json', (f) => {
    const values = f.values.map(fromJSON);
    const order = [...values.keys()].sort((a, b) => compareValues(values[a], values[b]));
    f.classes = [];
    for (const i of order) {
      const last = f.classes.at(-1);
      if (last && compareValues(values[last[0]!], values[i]) === 0) last.push(i);
      else f.classes.push([i]);
    }
  });
  check<{ values: unknown[]; places: number[]; normal: string[] }>('query/values.json', (f) => {
    const values = f.values.map(fromJSON);
    f.places = values.map((v) => values.filter((w) => compareValues(w, v) < 0).length);
    f.normal = values.map((v) => toBase64(encodeNormal(v)));
    for (const a of values) for (const b of values) assert.equal(compareValues(a, b) === 0, equal(a, b), `${String(a)} ${String(b)}`);
  });
});

test('conditions have limits', () => {
  const eq = { op: 'eq', attribute: 'x', value: 1 };
  const nested = (levels: number) => {
    let p: unknown = eq;
    for (let i = 1; i < levels; i++) p = { op: 'not', children: [p] };
    return p;
  };
  const wide = (nodes: number) => ({ op: 'and', children: new Array(nodes - 1).fill(eq) });
  for (const [ok, large] of [
    [nested(64), nested(65)],
    [wide(1024), wide(1025)],
    [
      { op: 'in', attribute: 'x', value: new Array(10_000).fill(1) },
      { op: 'in', attribute: 'x', value: new Array(10_001).fill(1) },
    ],
    [
      { op: 'containsAll', attribute: 'x', value: new Array(1024).fill(1) },
      { op: 'containsAll', attribute: 'x', value: new Array(1025).fill(1) },
    ],
    [
      { op: 'regex', attribute: 'x', value: 'x{1000}y{1000}z{1000}' },
      { op: 'regex', attribute: 'x', value: 'x{1000}y{1000}z{1000}a{1000}b{1000}' },
    ],
  ]) {
    compilePredicate(ok, env);
    assert.equal(refusal(() => compilePredicate(large, env)).code, 'LIMIT');
  }
  assert.equal(refusal(() => compilePredicate({ op: 'regex', attribute: 'x', value: 'a' })).code, 'UNSUPPORTED');
});

test('patterns that make other engines hang do not', () => {
  const text = `${'a'.repeat(5000)}!`;
  for (const pattern of ['(a+)+$', '^(a|a)*$', '^(a|aa)+$', '(.*a){20}$', '^(([a-z])+.)+[A-Z]([a-z])+$']) assert.equal(compileRegex(pattern)(text), false);
  const like = compilePredicate({ op: 'like', attribute: 'x', value: '%a%a%a%a%a%a%a%a%a%a%b' });
  assert.equal(like('k', { x: text }), false);
});

interface RowsFile {
  records: { key: string; doc: unknown }[];
  cases: { query: Query; fields?: string[]; rows: { key: string; value: unknown }[]; more: boolean }[];
}

test('vectors of whole queries', () => {
  check<RowsFile>('query/rows.json', (f) => {
    const records = f.records.map((r): [string, Value] => [r.key, fromJSON(r.doc)]);
    for (const c of f.cases) {
      const query = fromJSON(c.query) as Query;
      const { rows, more } = runQuery(c.fields ? { ...query, fields: c.fields } : query, records, { ...env, groups: groupRows });
      c.rows = rows.map(({ key, value }) => ({ key, value: toJSON(value, compareText) }));
      c.more = more;
    }
  });
});
