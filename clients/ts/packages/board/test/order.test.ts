import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { between, isPlace } from '../src/order.js';

/** Chance from a list of fractions, again and again. */
function chance(list: readonly number[]): () => number {
  let i = 0;
  return () => list[i++ % list.length] ?? 0;
}

const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const fractions = fc.array(fraction, { minLength: 1, maxLength: 8 });

test('a place between two is between them, whatever was put there before', () => {
  fc.assert(
    fc.property(fc.array(fraction, { maxLength: 120 }), fractions, (puts, random) => {
      const list: string[] = [];
      const next = chance(random);
      for (const at of puts) {
        const i = Math.floor(at * (list.length + 1));
        const place = between(list[i - 1], list[i], next);
        assert.ok(isPlace(place), place);
        list.splice(i, 0, place);
      }
      assert.deepEqual(list.toSorted(), list);
      assert.equal(new Set(list).size, list.length);
    }),
  );
});

test('putting first, last or into the same gap again and again keeps places short', () => {
  const random = chance([0.9, 0.1, 0.5]);
  let [first, last]: [string | undefined, string | undefined] = [undefined, undefined];
  let [low, high]: [string, string] = [between(undefined, undefined, random), ''];
  high = between(low, undefined, random);
  for (let i = 0; i < 5_000; i++) {
    first = between(undefined, first, random);
    last = between(last, undefined, random);
  }
  for (let i = 0; i < 1_000; i++) {
    if (i % 2) low = between(low, high, random);
    else high = between(low, high, random);
  }
  assert.ok(first && first.length <= 6, first);
  assert.ok(last && last.length <= 6, last);
  assert.ok(low.length < 600 && isPlace(low), low);
});

test('two who put something into the same gap hardly ever get the same place', () => {
  const places = new Set<string>();
  for (let i = 0; i < 500; i++) places.add(between('4', '5', Math.random));
  // Of 79 442 places 500 draws meet 1.6 times on average, and more than ten times once in a million runs.
  assert.ok(places.size >= 490, `${places.size} different places of 500`);
});

test('what is no place is told from one that is', () => {
  for (const good of ['1', 'a', '0001', 'zzzz', 'a0b']) assert.ok(isPlace(good), good);
  for (const bad of ['', '0', 'a0', 'ä', 'a b', 7, null, undefined, 'a'.repeat(1001), ['a']]) assert.ok(!isPlace(bad), String(bad));
});
