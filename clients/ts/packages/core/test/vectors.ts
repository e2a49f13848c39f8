// Reads the vector files that all implementations share, and tells whether what was computed gives the same file.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const dir = `${process.cwd()}/../../spec/vectors`;

/**
 * Reads a vector file, lets compute fill in what follows from something else, and expects the file byte for byte.
 */
export function check<T>(name: string, compute: (file: T) => void): void {
  const old = readFileSync(`${dir}/${name}`, 'utf8');
  const file = JSON.parse(old) as T;
  compute(file);
  const want = old.split('\n');
  const got = `${JSON.stringify(file, null, 2)}\n`.split('\n');
  for (let i = 0; i < Math.min(want.length, got.length); i++) {
    if (want[i] !== got[i]) assert.equal(got[i], want[i], `${name}:${i + 1} is not what follows`);
  }
  assert.equal(got.length, want.length, `${name}: the number of lines`);
}

export const vectorDir = dir;
