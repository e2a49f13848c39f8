import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CodecError, compareText, decode, decodeFrame, encode } from '../src/index.js';
import { check, fromBase64, toBase64, toJSON, vectorDir } from './vectors.js';

interface MessageFile {
  type: string;
  cases: { name: string; json: unknown; msgpack: string }[];
}

const special = ['accept.json', 'refuse.json'];

for (const file of readdirSync(`${vectorDir}/wire`).filter((f) => !special.includes(f))) {
  test(`frames of ${file}`, () => {
    check<MessageFile>(`wire/${file}`, (f) => {
      for (const c of f.cases) {
        const doc = decode(fromBase64(c.msgpack));
        c.json = toJSON(doc, compareText);
        c.msgpack = toBase64(encode(doc));
        const type = (doc as { type?: string }).type;
        if (type === undefined || f.type === 'BATCH') continue; // an HTTP body, or one with bytes that are no messages
        assert.equal(type, f.type);
        assert.deepEqual(decodeFrame(fromBase64(c.msgpack)), [doc]);
      }
    });
  });
}

test('forms that peers send', () => {
  check<{ cases: { json: unknown; msgpack: string; same: string }[] }>('wire/accept.json', (f) => {
    for (const c of f.cases) c.json = toJSON(decode(fromBase64(c.msgpack)), compareText);
  });
});

test('frames that are refused', () => {
  const f = JSON.parse(readFileSync(`${vectorDir}/wire/refuse.json`, 'utf8')) as { cases: { name: string; msgpack: string; code: string }[] };
  for (const c of f.cases) {
    let err: unknown;
    try {
      decodeFrame(fromBase64(c.msgpack));
    } catch (e) {
      err = e;
    }
    if (err) assert.ok(err instanceof CodecError, `${c.name}: ${String(err)}`);
    // What is in the fields of a message is for its handler to see; what is no message must not get that far.
    if (c.code === 'MALFORMED_FRAME') assert.ok(err, c.name);
  }
});
