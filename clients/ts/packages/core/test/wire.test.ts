import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodecError, decode, decodeFrame, encode, equal, type Value } from '../src/index.js';
import { check, vectorDir } from './vectors.js';

/** A value as the vectors write it in JSON: bytes in base64, names in order. */
function jsonOf(v: Value): unknown {
  if (v instanceof Uint8Array) return { $bytes: Buffer.from(v).toString('base64') };
  if (Array.isArray(v)) return v.map(jsonOf);
  if (typeof v !== 'object' || v === null) return v;
  const fields = Object.entries(v) as [string, Value][];
  return Object.fromEntries(fields.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(([n, e]) => [n, jsonOf(e)]));
}

const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const base64 = (b: Uint8Array) => Buffer.from(b).toString('base64');

interface MessageFile {
  type: string;
  cases: { name: string; json: unknown; msgpack: string }[];
}

const special = ['accept.json', 'refuse.json'];

for (const file of readdirSync(`${vectorDir}/wire`).filter((f) => !special.includes(f))) {
  test(`frames of ${file}`, () => {
    check<MessageFile>(`wire/${file}`, (f) => {
      for (const c of f.cases) {
        const doc = decode(bytes(c.msgpack));
        c.json = jsonOf(doc);
        c.msgpack = base64(encode(doc));
        const type = (doc as { type?: string }).type;
        if (type === undefined || f.type === 'BATCH') continue; // an HTTP body, or one with bytes that are no messages
        assert.equal(type, f.type);
        assert.deepEqual(decodeFrame(bytes(c.msgpack)), [doc]);
      }
    });
  });
}

test('forms that peers send', () => {
  check<{ cases: { json: unknown; msgpack: string; same: string }[] }>('wire/accept.json', (f) => {
    for (const c of f.cases) c.json = jsonOf(decode(bytes(c.msgpack)));
  });
});

test('frames that are refused', () => {
  const f = JSON.parse(readFileSync(`${vectorDir}/wire/refuse.json`, 'utf8')) as { cases: { name: string; msgpack: string; code: string }[] };
  for (const c of f.cases) {
    let err: unknown;
    try {
      decodeFrame(bytes(c.msgpack));
    } catch (e) {
      err = e;
    }
    if (err) assert.ok(err instanceof CodecError, `${c.name}: ${String(err)}`);
    // What is in the fields of a message is for its handler to see; what is no message must not get that far.
    if (c.code === 'MALFORMED_FRAME') assert.ok(err, c.name);
  }
});

test('what is decoded is what was encoded', () => {
  const doc = { a: [1, 1.5, -0.25, 'ü', null, true, new Uint8Array([1, 2])], b: { c: {} } };
  assert.ok(equal(decode(encode(doc)), doc));
});
