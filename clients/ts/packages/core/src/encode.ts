import { CodecError, exact, maxDepth, word } from './codec.js';
import { Ext } from './value.js';

/**
 * Encodes a value as MessagePack, in the shortest forms and byte for byte as the Go implementation does.
 *
 * Whole numbers within ±2⁵³ are written as integers (−0 as 0), all others as float64, a bigint as the integer it is.
 * Properties that are undefined are left out, undefined elsewhere is nil. Objects are written with their own enumerable
 * properties, also instances of classes. Whatever would lose its meaning (Date, Map, Set, typed arrays other than
 * Uint8Array, functions, symbols, bigints beyond 64 bits) is refused with a CodecError.
 */
export function encode(v: unknown): Uint8Array {
  return all(v, false);
}

/**
 * Encodes a value in its normal form, which all equal values share and no others: names in UTF-16 order, whole numbers
 * as integers as far as they have 64 bits.
 */
export function encodeNormal(v: unknown): Uint8Array {
  return all(v, true);
}

/** How large the buffer may be that is kept for the next time. */
const kept = 1 << 16;

// What is being written. A property that is a function may encode something itself while it is read: that is written
// behind what there is, and taken away again.
let bytes = new Uint8Array(256);
let view = new DataView(bytes.buffer);
let at = 0;
let normal = false;
const path: (string | number)[] = [];

const utf8 = new TextEncoder();

function all(v: unknown, inNormalForm: boolean): Uint8Array {
  const start = at;
  const outer = normal;
  normal = inNormalForm;
  try {
    write(v, 0);
    return bytes.slice(start, at);
  } finally {
    at = start;
    normal = outer;
    if (bytes.length > kept && !start) resize(kept);
  }
}

function resize(size: number): void {
  const old = bytes;
  bytes = new Uint8Array(size);
  bytes.set(old.subarray(0, at));
  view = new DataView(bytes.buffer);
}

/** Makes room for n more bytes and returns where they begin. */
function grow(n: number): number {
  const from = at;
  at += n;
  if (at > bytes.length) {
    at = from;
    resize(2 * (from + n));
    at += n;
  }
  return from;
}

function byte(b: number): void {
  const to = grow(1);
  bytes[to] = b;
}

/** A lead byte and a number of 1, 2 or 4 bytes; of negative numbers the two's complement. */
function sized(lead: number, size: number, n: number): void {
  const to = grow(1 + size);
  bytes[to] = lead;
  for (let i = size; i > 0; i--, n >>= 8) bytes[to + i] = n;
}

/** A lead byte and two words. */
function long(lead: number, high: number, low: number): void {
  const to = grow(9);
  bytes[to] = lead;
  view.setUint32(to + 1, high);
  view.setUint32(to + 5, low);
}

/** The header of something that has n bytes or elements; fixed is how many a header of one byte can say. */
function header(n: number, fixed: number, lead: number, lead8: number, lead16: number): void {
  if (n < fixed) byte(lead | n);
  else if (n < 0x100 && lead8) sized(lead8, 1, n);
  else if (n < 0x10000) sized(lead16, 2, n);
  else sized(lead16 + 1, 4, n);
}

function raw(b: Uint8Array): void {
  const to = grow(b.length);
  bytes.set(b, to);
}

function write(v: unknown, depth: number): void {
  if (v == null) byte(0xc0);
  else if (typeof v === 'boolean') byte(v ? 0xc3 : 0xc2);
  else if (typeof v === 'number') number(v, depth);
  else if (typeof v === 'bigint') bigint(v, depth);
  else if (typeof v === 'string') string(v);
  else if (typeof v === 'object') object(v, depth);
  else refuse(depth, typeof v, 'leave it out');
}

function refuse(depth: number, what: string, advice: string): never {
  const where = path.slice(0, depth).join('.');
  throw new CodecError('UNSUPPORTED', `${what}${where && ` at ${where}`} cannot be stored: ${advice}`);
}

function number(n: number, depth: number): void {
  if (Number.isInteger(n) && Math.abs(n) <= exact) {
    if (n < -word / 2 || n >= word) return long(n < 0 ? 0xd3 : 0xcf, Math.floor(n / word), n);
    if (n >= -32 && n < 128) return byte(n);
    // How often the shortest form doubles: 0, 1 or 2 times.
    const bits = n < 0 ? -n - 1 : n >>> 1;
    const doubled = Number(bits >= 0x80) + Number(bits >= 0x8000);
    return sized((n < 0 ? 0xd0 : 0xcc) + doubled, 1 << doubled, n);
  }
  if (normal && Number.isInteger(n) && n >= -(2 ** 63) && n < 2 ** 64) return bigint(BigInt(n), depth);
  // JavaScript does not say which of its many forms a NaN has; this is the one that Go writes.
  long(0xcb, 0x7ff80000, 1);
  if (n === n) view.setFloat64(at - 8, n);
}

function bigint(n: bigint, depth: number): void {
  if (n >= -exact && n <= exact) return number(Number(n), depth);
  if (n < -(2n ** 63n) || n >= 2n ** 64n) refuse(depth, 'an integer beyond 64 bits', 'store it as a string');
  long(n < 0 ? 0xd3 : 0xcf, 0, 0);
  view.setBigInt64(at - 8, n);
}

function string(s: string): void {
  const n = s.length;
  if (n < 32) {
    // Short strings are most often ASCII, and then their length in bytes is known.
    const to = grow(1 + n);
    bytes[to] = 0xa0 | n;
    let i = 0;
    for (let c; i < n && (c = s.charCodeAt(i)) < 0x80; i++) bytes[to + 1 + i] = c;
    if (i === n) return;
    at = to;
  }
  const b = utf8.encode(s);
  header(b.length, 32, 0xa0, 0xd9, 0xda);
  raw(b);
}

const advice: { readonly [tag: string]: string } = {
  Date: 'store getTime() or toISOString()',
  Map: 'store Object.fromEntries(map)',
  Set: 'store [...set]',
};

function object(v: object, depth: number): void {
  const tag = Object.prototype.toString.call(v).slice(8, -1);
  if (tag === 'Uint8Array') {
    header((v as Uint8Array).length, 0, 0, 0xc4, 0xc5);
    return raw(v as Uint8Array);
  }
  if (v instanceof Ext) return ext(v);
  if (depth === maxDepth) throw new CodecError('DEPTH', 'a value nested too deep, or one that contains itself, cannot be stored');
  if (Array.isArray(v)) {
    header(v.length, 16, 0x90, 0, 0xdc);
    for (let i = 0; i < v.length; i++) child(i, v[i], depth);
    return;
  }
  if (tag !== 'Object') refuse(depth, tag, advice[tag] ?? 'store its content as plain objects and arrays');
  const fields = v as { readonly [name: string]: unknown };
  const names = Object.keys(fields).filter((n) => fields[n] !== undefined);
  if (normal) names.sort();
  header(names.length, 16, 0x80, 0, 0xde);
  for (const n of names) {
    string(n);
    child(n, fields[n], depth);
  }
}

function child(name: string | number, v: unknown, depth: number): void {
  path[depth] = name;
  write(v, depth + 1);
}

function ext(e: Ext): void {
  const n = e.data.length;
  const fixed = [1, 2, 4, 8, 16].indexOf(n);
  if (fixed >= 0) byte(0xd4 + fixed);
  else header(n, 0, 0, 0xc7, 0xc8);
  byte(e.type);
  raw(e.data);
}
