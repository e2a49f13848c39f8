import { test } from 'node:test';
import { History } from './history.js';

// More of them: make ts-histories N=10000 SEED=1. One again, with all that happened: make ts-histories N=1 SEED=7.
const histories = Number(process.env['TOPGUN_HISTORIES'] ?? 100);
const first = Number(process.env['TOPGUN_SEED'] ?? 1);

test(`${histories} random histories end in agreement, from seed ${first}`, async () => {
  for (let seed = first; seed < first + histories; seed++) {
    const h = new History(seed, histories === 1);
    try {
      await h.run(60);
    } catch (err) {
      if (histories === 1) console.error(h.log);
      throw new Error(`history ${seed} (make ts-histories N=1 SEED=${seed}): ${String(err)}`, { cause: err });
    }
  }
});
