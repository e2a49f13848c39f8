import assert from 'node:assert/strict';
import test from 'node:test';
import { TopGunClient } from '@topgun/client';
import fc from 'fast-check';
import { Board, type Change, type Item } from '../src/model.js';

/** A board on a client of its own that nobody else reaches. */
async function board(): Promise<{ board: Board; client: TopGunClient; end: () => Promise<void> }> {
  const client = new TopGunClient({ storage: 'memory' });
  const b = new Board(client, { page: 'p', name: 'Heron' }, Math.random);
  await b.loaded();
  return { board: b, client, end: () => client.close() };
}

const index = fc.nat({ max: 20 });
const acts = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('add' as const), behind: fc.option(index) }),
    fc.record({ type: fc.constant('move' as const), at: index, to: index }),
    fc.record({ type: fc.constant('check' as const), at: index, done: fc.boolean() }),
    fc.record({ type: fc.constant('write' as const), at: index }),
    fc.record({ type: fc.constant('remove' as const), at: index }),
    fc.record({ type: fc.constant('undo' as const) }),
  ),
  { maxLength: 40 },
);

test('a board is what a list would be', async () => {
  await fc.assert(
    fc.asyncProperty(acts, async (list) => {
      const { board: b, end } = await board();
      const model: { id: string; text: string; done: boolean }[] = [];
      const removed: [number, Item][] = [];
      list.forEach((act, n) => {
        const at = 'at' in act && model.length > 0 ? act.at % model.length : -1;
        const id = model[at]?.id ?? '';
        switch (act.type) {
          case 'add': {
            // What is put where something was removed lies on either side of it, as chance has it.
            removed.length = 0;
            const behind = act.behind === null || model.length === 0 ? undefined : act.behind % model.length;
            b.add(`i${n}`, `text ${n}`, behind === undefined ? undefined : model[behind]?.id);
            model.splice(behind === undefined ? model.length : behind + 1, 0, { id: `i${n}`, text: `text ${n}`, done: false });
            return;
          }
          case 'undo': {
            const last = removed.pop();
            if (!last) return;
            b.restore(last[1]);
            model.splice(last[0], 0, { id: last[1].id, text: last[1].text, done: last[1].done });
            return;
          }
        }
        const item = model[at];
        if (!item) return;
        removed.length = 0;
        switch (act.type) {
          case 'move': {
            const to = act.to % model.length;
            b.move(id, to);
            model.splice(at, 1);
            model.splice(to, 0, item);
            return;
          }
          case 'check':
            b.check(id, act.done);
            item.done = act.done;
            return;
          case 'write':
            b.write(id, `again ${n}`);
            item.text = `again ${n}`;
            return;
          case 'remove': {
            const held = b.items()[at];
            assert.ok(held);
            b.remove(id);
            model.splice(at, 1);
            removed.push([at, held]);
          }
        }
      });
      const shown = b.items().map(({ id, text, done }) => ({ id, text, done }));
      await end();
      assert.deepEqual(shown, model);
    }),
    { numRuns: 60 },
  );
});

test('changes say what they are about, and whose they are', async () => {
  const { board: b, client, end } = await board();
  const changes: Change[] = [];
  b.subscribe((c) => changes.push(...c));
  b.add('a', 'milk');
  b.remove('a');
  b.add('b', 'bread');
  await new Promise((resolve) => setTimeout(resolve)); // own changes are told before anything else runs
  assert.ok(changes.length > 0 && changes.every((c) => c.own), JSON.stringify(changes));
  changes.length = 0;
  client.getMap('board.text').set('b', { v: 'rye bread', by: 'Wren', w: 'other:1' });
  client.getMap('board.done').set('b', 'nonsense from somewhere');
  client.getMap('board.place').set('b', { v: 'no place!', by: 'Wren', w: 'other:2' });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(
    changes.filter((c) => c.cell).map((c) => [c.id, c.field, c.cell?.by, c.own]),
    [
      ['b', 'text', 'Wren', false],
      ['b', 'place', 'Wren', false],
    ],
  );
  assert.deepEqual(b.items(), [{ id: 'b', text: 'rye bread', done: false, place: undefined }]);
  await end();
});
