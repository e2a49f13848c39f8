// Laws of the data model, with random histories. A failure prints the seed that replays it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  Clock,
  combine,
  compareText,
  compareTimestamps,
  equal,
  formatTimestamp,
  isExpired,
  isTimestamp,
  LWWMap,
  lwwHash,
  maxDrift,
  merklePath,
  type MerkleTree,
  orHash,
  ORMap,
  parseTimestamp,
  PNCounter,
  type CounterState,
  type LWWRecord,
  type ORRecord,
  type Timestamp,
  type Value,
} from '../src/index.js';

// Few values, so that equal parts are common.
const node = fc.constantFrom('a', 'b', 'node-1', 'node-10', 'é', '\uffff', '😀');
const plain = { noNullPrototype: true };
const stamp: fc.Arbitrary<Timestamp> = fc.record({ millis: fc.integer({ min: 0, max: 4 }), counter: fc.integer({ min: 0, max: 3 }), nodeId: node }, plain);
const key = fc.oneof(fc.constantFrom('', 'k', 'key:1', 'ключ', '😀'), fc.string({ unit: 'grapheme', maxLength: 3 }));
const scalar: fc.Arbitrary<Value> = fc.constantFrom(0, 1, 1n, -0, 1.5, '', 'a', '1', true, false, null, 2n ** 60n);
const value: fc.Arbitrary<Value> = fc.oneof(scalar, fc.array(scalar, { maxLength: 2 }), fc.dictionary(fc.constantFrom('a', 'b'), scalar, { maxKeys: 2, ...plain }));

/** What a tree must be, computed from its definition. */
function checkTree(tree: MerkleTree, entries: Map<string, number>): void {
  const hashOf = (path: string): number => {
    const below = [...entries].filter(([k]) => merklePath(k).startsWith(path));
    assert.equal(tree.keys(path), below.length);
    if (path.length === 3) return combine(below.map(([, h]) => h));
    const digits = new Set(below.map(([k]) => merklePath(k)[path.length]!));
    const children = new Map([...digits].sort().map((d) => [d, hashOf(path + d)]));
    assert.deepEqual(tree.children(path), children);
    return combine(children.values());
  };
  assert.equal(tree.root(), hashOf(''));
  assert.equal(tree.children('0000').size + tree.children('g').size + tree.keys('A'), 0);
}

test('timestamps have a total order, and a text form that reads back', () => {
  fc.assert(
    fc.property(stamp, stamp, stamp, (a, b, c) => {
      assert.equal(Math.sign(compareTimestamps(a, b)), -Math.sign(compareTimestamps(b, a)) + 0);
      assert.equal(compareTimestamps(a, b) === 0, formatTimestamp(a) === formatTimestamp(b));
      if (compareTimestamps(a, b) <= 0 && compareTimestamps(b, c) <= 0) assert.ok(compareTimestamps(a, c) <= 0);
      assert.deepEqual(parseTimestamp(formatTimestamp(a)), a);
    }),
  );
});

test('texts are ordered as their UTF-8 bytes are', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}') }));
  fc.assert(fc.property(text, text, (a, b) => assert.equal(Math.sign(compareText(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))));
});

test('nothing that a clock issues is at or below what it issued or accepted', () => {
  const sys = fc.integer({ min: 0, max: 200_000 });
  const remote = fc.record({
    millis: fc.integer({ min: -1, max: 400_000 }),
    counter: fc.constantFrom(0, 1, 7, 0xffff_fffe, 0xffff_ffff),
    nodeId: fc.constant('r'),
  }, plain);
  fc.assert(
    fc.property(fc.array(fc.tuple(sys, fc.option(remote))), (steps) => {
      let wall = 0;
      const clock = new Clock('n', () => wall);
      let floor: Timestamp = { millis: -2, counter: 0, nodeId: '' };
      for (const [time, r] of steps) {
        wall = time;
        const before = clock.last();
        if (r === null) {
          const t = clock.now();
          assert.ok(compareTimestamps(t, floor) > 0 && t.millis >= wall && isTimestamp(t));
          floor = t;
        } else if (clock.update(r)) {
          const after = clock.last();
          assert.ok(r.millis - wall <= maxDrift && after.millis >= wall);
          for (const seen of [before, { ...r, nodeId: '' }]) assert.ok(compareTimestamps(after, seen) > 0);
          floor = after;
        } else {
          assert.ok(r.millis - wall > maxDrift);
          assert.deepEqual(clock.last(), before);
        }
      }
    }),
  );
});

test('a clock takes up its past, and never goes back', () => {
  const clock = new Clock('n', () => 0);
  for (const t of [
    { millis: 100, counter: 5, nodeId: 'n' },
    { millis: 99, counter: 9, nodeId: 'n' },
    { millis: 100, counter: 4, nodeId: 'z' },
  ]) {
    clock.resume(t);
  }
  assert.deepEqual(clock.now(), { millis: 100, counter: 6, nodeId: 'n' });
  assert.throws(() => new Clock('a:b', () => 0), RangeError);
});

/** The same items in two orders, some of them twice. */
function orders<T>(item: fc.Arbitrary<T>): fc.Arbitrary<[T[], T[]]> {
  return fc.array(item, { maxLength: 12 }).chain((items) =>
    fc.tuple(fc.shuffledSubarray([...items, ...items], { minLength: items.length, maxLength: 2 * items.length }), fc.constant(items)).map(([some, all]) => [
      [...some, ...all],
      [...all].reverse(),
    ]),
  );
}

test('last-writer-wins maps agree whatever the order and however often records come', () => {
  // A timestamp stands for one write: its value follows from it.
  const entry = fc.tuple(key, stamp).map(([k, timestamp]): [string, LWWRecord] => {
    const value = timestamp.counter === 2 ? null : `${k} ${formatTimestamp(timestamp)}`;
    return [k, { value, timestamp, ...(timestamp.counter === 1 && { ttlMs: 2 }) }];
  });
  fc.assert(
    fc.property(orders(entry), stamp, ([one, other], edge) => {
      const a = new LWWMap();
      const b = new LWWMap();
      for (const [k, r] of one) a.merge(k, r);
      for (const [k, r] of other) b.merge(k, r);
      assert.deepEqual(new Map(a.records()), new Map(b.records()));
      for (const m of [a, b]) {
        assert.equal(m.size, new Set(one.map(([k]) => k)).size);
        checkTree(m.tree, new Map([...m.records()].map(([k, r]) => [k, lwwHash(k, r.timestamp)])));
        for (const [k, r] of m.records()) {
          assert.ok(one.every(([k2, r2]) => k2 !== k || compareTimestamps(r2.timestamp, r.timestamp) <= 0));
          assert.equal(m.get(k, 5), r.value === null || isExpired(r, 5) ? undefined : r.value);
        }
      }
      const gone = [...a.records()].filter(([, r]) => r.value === null && compareTimestamps(r.timestamp, edge) < 0).map(([k]) => k);
      assert.deepEqual(a.prune(edge), gone);
      checkTree(a.tree, new Map([...a.records()].map(([k, r]) => [k, lwwHash(k, r.timestamp)])));
      a.clear();
      checkTree(a.tree, new Map());
    }),
  );
});

test('a server tells a writer that its write has another timestamp', () => {
  const map = new LWWMap();
  const mine: Timestamp = { millis: 9, counter: 0, nodeId: 'n' };
  const theirs: Timestamp = { millis: 5, counter: 0, nodeId: 's' };
  map.set('k', { a: [1, 'x'] }, mine);
  assert.equal(map.merge('k', { value: { a: [1, 'x'] }, timestamp: theirs }), false);
  assert.equal(map.mergeEvent('k', { value: 'another', timestamp: theirs }), false);
  assert.equal(map.record('k')!.timestamp, mine);
  assert.equal(map.mergeEvent('k', { value: { a: [1n, 'x'] }, timestamp: theirs }), true);
  assert.equal(map.record('k')!.timestamp, theirs);
  assert.equal(map.mergeEvent('k', map.record('k')!), false);
  checkTree(map.tree, new Map([['k', lwwHash('k', theirs)]]));
});

type ORChange = { key: string; add: ORRecord } | { key: string; remove: string; at: number };

test('observed-remove maps agree whatever the order and however often changes come', () => {
  const change = fc
    .tuple(key, stamp, fc.constantFrom('t1', 't2', '\uffff', '😀'), fc.boolean())
    .map(([k, timestamp, tag, adds]): ORChange =>
      adds
        ? { key: k, add: { tag, timestamp, value: `${tag} ${formatTimestamp(timestamp)}`, ...(timestamp.counter === 1 && { ttlMs: 0 }) } }
        : { key: k, remove: tag, at: timestamp.millis },
    );
  const apply = (m: ORMap, c: ORChange) => ('add' in c ? m.merge(c.key, c.add) : m.removeTag(c.key, c.remove, c.at));
  const state = (m: ORMap) => new Map([...m.keys()].map((k) => [k, { records: m.records(k), tombstones: m.tombstones(k) }]));
  fc.assert(
    fc.property(orders(change), ([one, other]) => {
      const a = new ORMap();
      const b = new ORMap();
      const early = [...a.keysOfLeaf('000')];
      assert.deepEqual(early, []);
      for (const c of one) {
        const before = state(a);
        assert.equal(apply(a, c), !equalState(before, state(a)));
        assert.equal(apply(a, c), false);
      }
      for (const c of other) apply(b, c);
      assert.deepEqual(state(a), state(b));
      for (const m of [a, b]) {
        checkTree(m.tree, new Map([...m.keys()].map((k) => [k, orHash(k, m.records(k))])));
        for (const k of m.keys()) {
          const removed = new Set(m.tombstones(k).map(([tag]) => tag));
          assert.ok(m.records(k).every((r) => !removed.has(r.tag)));
          assert.ok(m.keysOfLeaf(merklePath(k)).includes(k));
        }
        assert.equal([...new Set([...m.keys()].map(merklePath))].reduce((n, p) => n + m.keysOfLeaf(p).length, 0), [...m.keys()].length);
      }
      const dropped = a.prune((_, at) => at < 2);
      for (const k of b.keys()) {
        const old = b.tombstones(k).filter(([, at]) => at < 2);
        assert.deepEqual((dropped.get(k) ?? []).sort(), old.map(([tag]) => tag).sort());
        assert.deepEqual(a.tombstones(k), b.tombstones(k).filter(([, at]) => at >= 2));
        assert.equal(a.keysOfLeaf(merklePath(k)).includes(k), a.records(k).length + a.tombstones(k).length > 0);
      }
      checkTree(a.tree, new Map([...a.keys()].map((k) => [k, orHash(k, a.records(k))])));
    }),
  );
});

function equalState(a: unknown, b: unknown): boolean {
  try {
    assert.deepStrictEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

test('a removed value leaves an observed-remove map, one added meanwhile stays', () => {
  let wall = 1;
  const clock = new Clock('n', () => wall++);
  const a = new ORMap();
  const b = new ORMap();
  const first = a.add('k', { n: 1 }, clock.now());
  b.merge('k', first);
  const second = b.add('k', { n: 1 }, clock.now());
  const tags = a.remove('k', { n: 1n }, 7);
  assert.deepEqual(tags, [first.tag]);
  for (const tag of tags) b.removeTag('k', tag, 7);
  a.merge('k', second);
  assert.deepEqual(a.values('k', 0), [{ n: 1 }]);
  assert.deepEqual(a.records('k'), b.records('k'));
  assert.equal(a.tree.root(), b.tree.root());
  assert.throws(() => a.add('\ud800', 1, clock.now()), RangeError);
});

test('counters agree whatever the order, and add up', () => {
  const counts = fc.dictionary(node, fc.constantFrom(0, 0.5, 1, 2, 1e300, Number.MAX_VALUE), { maxKeys: 3, ...plain });
  const states = fc.record({ positive: counts, negative: counts }, plain) as fc.Arbitrary<CounterState>;
  fc.assert(
    fc.property(orders(states), ([one, other]) => {
      const a = new PNCounter();
      const b = new PNCounter();
      for (const s of one) {
        const before = a.state();
        assert.equal(a.merge(s), !equalState(before, a.state()));
        assert.equal(a.merge(s), false);
      }
      for (const s of other) b.merge(s);
      assert.deepEqual(a.state(), b.state());
      assert.equal(a.value, b.value);
      assert.ok(Number.isFinite(a.value));
    }),
  );
  const c = new PNCounter();
  for (const d of [5, -2, 0, 0.5, -0]) c.add('n', d);
  assert.equal(c.value, 3.5);
  assert.deepEqual(c.state(), { positive: { n: 5.5 }, negative: { n: 2 } });
  for (const d of [NaN, Infinity, -Infinity]) assert.throws(() => c.add('n', d), RangeError);
});

test('equality of values is an equivalence', () => {
  fc.assert(
    fc.property(value, value, value, (a, b, c) => {
      assert.ok(equal(a, a) && equal(a, structuredClone(a)));
      assert.equal(equal(a, b), equal(b, a));
      if (equal(a, b) && equal(b, c)) assert.ok(equal(a, c));
    }),
  );
});
