// Reads the vector files that all implementations share, and tells whether what was computed gives the same file.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ext, isFields, type Value } from '../src/index.js';

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

export const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
export const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

/** The value that stands in a vector file, where what JSON does not have is written as codec.json says. */
export function fromJSON(v: unknown): Value {
  if (Array.isArray(v)) return v.map(fromJSON);
  if (typeof v !== 'object' || v === null) return v as Value;
  const { $int, $float, $ext, $bytes } = v as { $int?: string; $float?: string; $ext?: number; $bytes?: string };
  if ($int !== undefined) return BigInt($int);
  if ($float !== undefined) return Number($float);
  if ($ext !== undefined) return new Ext($ext, fromBase64($bytes!));
  if ($bytes !== undefined) return fromBase64($bytes);
  return Object.fromEntries(Object.entries(v).map(([name, e]) => [name, fromJSON(e)]));
}

/** The reverse of fromJSON, names in the order of less. */
export function toJSON(v: Value, less: (a: string, b: string) => number): unknown {
  if (typeof v === 'bigint') return { $int: String(v) };
  if (typeof v === 'number' && !Number.isFinite(v)) return { $float: String(v) };
  if (v instanceof Uint8Array) return { $bytes: toBase64(v) };
  if (v instanceof Ext) return { $ext: v.type, $bytes: toBase64(v.data) };
  if (Array.isArray(v)) return v.map((e: Value) => toJSON(e, less));
  if (!isFields(v)) return v;
  const names = Object.keys(v).sort(less);
  return Object.fromEntries(names.map((name) => [name, toJSON(v[name]!, less)]));
}
