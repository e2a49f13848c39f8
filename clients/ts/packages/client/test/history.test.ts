import { test } from 'node:test';
import { History } from './history.js';

// More histories, or one again: TOPGUN_HISTORIES=10000 and TOPGUN_SEED=7, for which there are make targets.
const histories = Number(process.env['TOPGUN_HISTORIES'] ?? 150);
const first = Number(process.env['TOPGUN_SEED'] ?? 1);

test(`${histories} random histories end in agreement, from seed ${first}`, async () => {
  for (let seed = first; seed < first + histories; seed++) {
    const h = new History(seed);
    try {
      await h.run(60);
    } catch (err) {
      if (histories === 1) console.error(h.log);
      throw new Error(`history ${seed} (TOPGUN_HISTORIES=1 TOPGUN_SEED=${seed}): ${String(err)}`, { cause: err });
    }
  }
});
