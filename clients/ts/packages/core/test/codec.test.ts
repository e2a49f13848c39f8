import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonical,
  CodecError,
  compareUnits,
  decode,
  decodeFrame,
  encode,
  equal,
  Ext,
  isLWWRecord,
  isORRecord,
  isTimestamp,
  maxBytes,
  maxDepth,
  maxMessages,
  type CodecErrorCode,
  type Value,
} from '../src/index.js';
import { check, fromBase64, fromJSON, toBase64, toJSON } from './vectors.js';

interface CodecFile {
  writes: { name: string; value: unknown; msgpack: string; text: string }[];
  reads: { name: string; msgpack: string; value: unknown; same: string }[];
  refused: { name: string; msgpack: string; error: string }[];
}

/** The code of the CodecError that f throws. */
function codeOf(f: () => unknown): CodecErrorCode {
  try {
    f();
  } catch (e) {
    assert.ok(e instanceof CodecError, String(e));
    return e.code;
  }
  assert.fail('nothing was thrown');
}

test('the encoding of values', () => {
  check<CodecFile>('codec.json', (f) => {
    for (const c of f.writes) {
      const v = fromJSON(c.value);
      c.msgpack = toBase64(encode(v));
      c.text = canonical(v);
      assert.ok(equal(decode(encode(v)), v), c.name);
    }
    for (const c of f.reads) {
      const v = decode(fromBase64(c.msgpack));
      c.value = toJSON(v, compareUnits);
      c.same = toBase64(encode(fromJSON(c.value)));
    }
    for (const c of f.refused) c.error = codeOf(() => decode(fromBase64(c.msgpack)));
  });
});

const scalar = fc.oneof(
  fc.constantFrom<Value>(null, true, false, NaN, Infinity, -Infinity),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.uint8Array({ maxLength: 20 }),
  fc.tuple(fc.integer({ min: -128, max: 127 }), fc.uint8Array({ maxLength: 18 })).map(([t, d]) => new Ext(t, d)),
) as fc.Arbitrary<Value>;
const value = fc.letrec<{ any: Value }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('any'), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('any'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).any;

test('what is encoded reads back, and no other bytes stand for it', () => {
  fc.assert(
    fc.property(value, (v) => {
      const bytes = encode(v);
      const again = decode(bytes);
      assert.ok(equal(again, v));
      assert.deepEqual(encode(again), bytes);
    }),
  );
});

test('integers keep their value up to 64 bits', () => {
  for (const n of [2n ** 53n + 1n, -(2n ** 53n) - 1n, 2n ** 64n - 1n, -(2n ** 63n)]) assert.equal(decode(encode(n)), n);
  for (const n of [0n, 5n, 2n ** 53n, -(2n ** 53n)]) assert.equal(decode(encode(n)), Number(n));
  assert.equal(decode(encode(2 ** 60)), 2 ** 60);
  for (const n of [2n ** 64n, -(2n ** 63n) - 1n]) assert.equal(codeOf(() => encode(n)), 'UNSUPPORTED');
});

test('what would lose its meaning is refused, and the message says where it is and what to do', () => {
  for (const [v, message] of [
    [{ a: { b: [1, new Date(0)] } }, 'Date at a.b.1 cannot be stored: store getTime() or toISOString()'],
    [new Map(), 'Map cannot be stored: store Object.fromEntries(map)'],
    [[new Set()], 'Set at 0 cannot be stored: store [...set]'],
    [{ f: () => 1 }, 'function at f cannot be stored: leave it out'],
    [{ s: Symbol.iterator }, 'symbol at s cannot be stored: leave it out'],
    [{ a: 1, x: new Float32Array(1) }, 'Float32Array at x cannot be stored: store its content as plain objects and arrays'],
    [/x/, 'RegExp cannot be stored: store its content as plain objects and arrays'],
    [{ n: 2n ** 64n }, 'an integer beyond 64 bits at n cannot be stored: store it as a string'],
  ] as const) {
    assert.throws(() => encode(v), { name: 'CodecError', code: 'UNSUPPORTED', message });
  }
  const round: unknown[] = [];
  round.push(round);
  assert.equal(codeOf(() => encode(round)), 'DEPTH');
});

test('undefined is left out or nil, instances are objects, buffers are bytes', () => {
  class Item {
    n = 1;
    none = undefined;
    get twice() {
      return 2 * this.n;
    }
  }
  assert.deepEqual(decode(encode({ a: undefined, b: [undefined], item: new Item() })), { b: [null], item: { n: 1 } });
  assert.equal(decode(encode(undefined)), null);
  assert.deepEqual(decode(encode(Buffer.from([1, 2]))), new Uint8Array([1, 2]));
  assert.deepEqual(decode(encode(Object.assign(Object.create(null), { a: 1 }))), { a: 1 });
});

test('a property may encode something itself while it is read', () => {
  const inner = { a: 'x'.repeat(300), b: [1, 2, 3] };
  const outer = {
    first: 1,
    get digest() {
      assert.throws(() => encode(new Date()), CodecError);
      return encode(inner);
    },
    last: 'y',
  };
  assert.deepEqual(decode(encode(outer)), { first: 1, digest: encode(inner), last: 'y' });
  assert.deepEqual(encode(outer), encode({ first: 1, digest: encode(inner), last: 'y' }));
  assert.equal(encode('z'.repeat(1 << 20)).length, 5 + (1 << 20));
  assert.deepEqual(decode(encode(inner)), inner);
});

test('a text comes back as it was, but for half characters', () => {
  for (const s of ['\ufeffbom', '\0', 'ü'.repeat(31), 'x'.repeat(70_000), '😀'.repeat(8), 'aüb']) assert.equal(decode(encode(s)), s);
  assert.equal(decode(encode('a\ud800b')), 'a\ufffdb');
});

test('a decoded value shares nothing with the frame, nor with Object.prototype', () => {
  const frame = encode({ b: new Uint8Array([1, 2, 3]), __proto__: null });
  const v = decode(frame) as { b: Uint8Array };
  frame.fill(0);
  assert.deepEqual(v.b, new Uint8Array([1, 2, 3]));
  const evil = decode(encode(JSON.parse('{"__proto__":{"polluted":1},"a":1}'))) as Record<string, Value>;
  assert.deepEqual(Object.keys(evil), ['__proto__', 'a']);
  assert.equal((evil as { polluted?: unknown }).polluted, undefined);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test('any bytes are read or refused, soon and without deep recursion', () => {
  const seeds = [encode({ type: 'X', a: [1, 'ü', null, { b: new Uint8Array(3) }] }), encode(new Array(40).fill([[]]))];
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(100), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }), fc.nat(100)).map(([seed, edits, cut]) => {
      const b = seed.slice(0, Math.max(1, seed.length - (cut < 50 ? 0 : cut - 50)));
      for (const [at, to] of edits) b[at % b.length] = to;
      return b;
    }),
  );
  fc.assert(
    fc.property(bytes, (b) => {
      for (const f of [decode, decodeFrame] as ((b: Uint8Array) => unknown)[]) {
        try {
          f(b);
        } catch (e) {
          assert.ok(e instanceof CodecError, String(e));
        }
      }
    }),
    { numRuns: 2000 },
  );
  assert.equal(codeOf(() => decode(new Uint8Array(1 << 20).fill(0x91))), 'DEPTH');
  assert.equal(codeOf(() => decode(new Uint8Array(1 << 20).fill(0x81))), 'DEPTH');
  assert.equal(codeOf(() => decode(new Uint8Array(maxBytes + 1))), 'SIZE');
  assert.equal(codeOf(() => decode(new Uint8Array(9), 8)), 'SIZE');
  let deep: Value = null;
  for (let i = 0; i < maxDepth; i++) deep = [deep];
  assert.deepEqual(decode(encode(deep)), deep);
  assert.equal(codeOf(() => encode([deep])), 'DEPTH');
});

/** A BATCH of frames, and another one with a wrong count. */
function batch(frames: Uint8Array[], count = frames.length): Uint8Array {
  const data = new Uint8Array(4 + frames.reduce((n, f) => n + 4 + f.length, 0));
  const view = new DataView(data.buffer);
  view.setUint32(0, count, true);
  let at = 4;
  for (const f of frames) {
    view.setUint32(at, f.length, true);
    data.set(f, at + 4);
    at += 4 + f.length;
  }
  return encode({ type: 'BATCH', count, data });
}

test('a frame is one message, or those of a batch in their order', () => {
  const [a, b] = [{ type: 'A', x: 1 }, { type: 'B' }];
  assert.deepEqual(decodeFrame(encode(a)), [a]);
  assert.deepEqual(decodeFrame(batch([encode(a), batch([encode(b), encode(a)]), encode(b)])), [a, b, a, b]);
  assert.deepEqual(decodeFrame(batch([])), []);
  for (const [frame, code] of [
    [encode([a]), 'FORMAT'],
    [encode({ type: 5 }), 'FORMAT'],
    [encode(null), 'FORMAT'],
    [batch([encode(a)], 2), 'SHORT'],
    [batch([encode(a)], 0xffff_ffff), 'SHORT'],
    [batch([encode(a), encode(b)], 1), 'TRAILING'],
    [encode({ type: 'BATCH' }), 'FORMAT'],
    [encode({ type: 'BATCH', data: new Uint8Array([1, 0, 0, 0, 255, 255, 255, 255]) }), 'SHORT'],
    [[1, 2, 3, 4, 5, 6].reduce((f) => batch([f]), encode(a)), 'FORMAT'],
    [batch(new Array(maxMessages + 1).fill(encode(b))), 'SIZE'],
  ] as [Uint8Array, CodecErrorCode][]) {
    assert.equal(codeOf(() => decodeFrame(frame)), code);
  }
  // Batches in batches in batches do not multiply.
  const wide = (f: Uint8Array) => batch(new Array(60).fill(f));
  assert.equal(codeOf(() => decodeFrame(wide(wide(wide(encode(b)))))), 'SIZE');
});

test('records and timestamps from outside are looked at', () => {
  const timestamp = { millis: 1, counter: 0, nodeId: 'n' };
  for (const t of [null, 5, 'x', {}, { ...timestamp, millis: 1.5 }, { ...timestamp, millis: 2n ** 60n }, { ...timestamp, counter: -1 }, { ...timestamp, counter: 2 ** 32 }, { ...timestamp, nodeId: 5 }]) {
    assert.equal(isTimestamp(t), false);
    assert.equal(isLWWRecord({ value: 1, timestamp: t }), false);
    assert.equal(isORRecord({ value: 1, timestamp: t, tag: 'x' }), false);
  }
  assert.ok(isTimestamp(timestamp) && isLWWRecord({ value: 1, timestamp }) && isORRecord({ value: 1, timestamp, tag: 'x', ttlMs: 0 }));
  assert.ok(isLWWRecord({ value: 1, timestamp, ttlMs: null }));
  for (const r of [null, [], { timestamp, ttlMs: 'x' }, { timestamp, ttlMs: 2 ** 60 }]) assert.equal(isLWWRecord(r), false);
  for (const r of [{ timestamp }, { timestamp, tag: '' }, { timestamp, tag: 5 }]) assert.equal(isORRecord(r), false);
});
