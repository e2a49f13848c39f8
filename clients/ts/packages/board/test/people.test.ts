import assert from 'node:assert/strict';
import test from 'node:test';
import { People, type Person, type Way } from '../src/people.js';

/** A room in which everybody hears what anybody else says, once or twice. */
class Room {
  readonly #ears: ((message: unknown) => void)[] = [];
  readonly said: unknown[] = [];

  way(times = 1): Way {
    let mine: (message: unknown) => void = () => {};
    return {
      send: (message) => {
        this.said.push(message);
        for (let i = 0; i < times; i++) for (const ear of this.#ears) if (ear !== mine) ear(structuredClone(message));
      },
      listen: (heard) => {
        mine = heard;
        this.#ears.push(heard);
      },
    };
  }
}

const person = (id: string): Person => ({ id, name: `the ${id}`, hue: 10, away: false, at: undefined });
const names = (p: People): string[] => p.others().map((o) => o.name);

test('who comes knows the others, and they know who has come', () => {
  const room = new Room();
  const [a, b, c] = ['a', 'b', 'c'].map((id) => new People(person(id), [room.way(), room.way(2)], () => 0));
  assert.ok(a && b && c);
  a.change({});
  b.change({});
  c.change({ at: 'item', name: 'Wren' });
  assert.deepEqual(names(a).sort(), ['Wren', 'the b']);
  assert.deepEqual(names(b).sort(), ['Wren', 'the a']);
  assert.deepEqual(names(c).sort(), ['the a', 'the b']);
  assert.equal(a.others().find((o) => o.name === 'Wren')?.at, 'item');
});

test('writes that are on a screen are told once, in one message', async () => {
  const room = new Room();
  const seen: [readonly string[], string][] = [];
  const a = new People(person('a'), [room.way()], () => 0);
  const b = new People(person('b'), [room.way()], () => 0);
  a.onSeen = (writes, by) => seen.push([writes, by]);
  for (let i = 0; i < 500; i++) b.saw(`w${i % 300}`);
  await Promise.resolve();
  assert.equal(seen.length, 1);
  assert.equal(seen[0]?.[0].length, 200); // the rest is not reported
  assert.equal(seen[0]?.[1], 'the b');
});

test('what is no message is not heard, and a crowd has an end', () => {
  const room = new Room();
  const a = new People(person('a'), [room.way()], () => 0);
  const anybody = room.way();
  const bad: unknown[] = [null, 7, 'here', {}, { type: 'here', id: 'x' }, { type: 'seen', id: 'x', name: 'x', writes: [1] }, { type: 'gone' }];
  for (const m of bad) (anybody.send as (m: unknown) => void)(m);
  assert.deepEqual(a.others(), []);
  for (let i = 0; i < 300; i++) anybody.send({ type: 'here', ...person(`p${i}`) });
  assert.equal(a.others().length, 200);
  anybody.send({ type: 'gone', id: 'p0' });
  assert.equal(a.others().length, 199);
});
