import { CodecError, exact, maxDepth, word } from './codec.js';
import { Ext, type Value } from './value.js';

/** The longest input of decode unless it is told otherwise: 16 MiB. */
export const maxBytes = 16 << 20;

/**
 * Decodes exactly one value. Integers beyond ±2⁵³, which a number cannot hold, come as bigint; binaries as Uint8Array,
 * extensions as Ext. Names that are not strings become the text that JavaScript makes of them; of a name given twice the
 * last value counts.
 *
 * Accepts any bytes: every length is checked against what is there before anything is made for it, nothing recurses
 * deeper than maxDepth, and what is not a value is a CodecError.
 */
export function decode(input: Uint8Array, limit = maxBytes): Value {
  if (input.length > limit) throw new CodecError('SIZE', `more than ${limit} bytes`);
  bytes = input;
  view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  at = 0;
  const v = read(0);
  if (at < input.length) throw new CodecError('TRAILING', 'bytes follow the value');
  return v;
}

// What is being read. Nothing of the application is called meanwhile.
let bytes: Uint8Array;
let view: DataView;
let at: number;

// A byte order mark at the start of a string is part of the string.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

function read(depth: number): Value {
  const lead = bytes[skip(1)]!;
  if (lead < 0x80) return lead;
  if (lead >= 0xe0) return lead - 0x100;
  if (lead < 0x90) return map(lead & 15, depth);
  if (lead < 0xa0) return array(lead & 15, depth);
  if (lead < 0xc0) return string(lead & 31);
  if (lead === 0xc0) return null;
  if (lead === 0xc1) throw new CodecError('FORMAT', 'no value starts with the byte c1');
  if (lead < 0xc4) return lead === 0xc3;
  // What is left comes in families, each with its sizes in ascending order.
  if (lead < 0xc7) return data(uint(1 << (lead - 0xc4)));
  if (lead < 0xca) return ext(uint(1 << (lead - 0xc7)));
  if (lead === 0xca) return view.getFloat32(skip(4));
  if (lead === 0xcb) return view.getFloat64(skip(8));
  if (lead < 0xcf) return uint(1 << (lead - 0xcc));
  if (lead === 0xcf || lead === 0xd3) return long(lead === 0xd3);
  if (lead < 0xd3) {
    const size = 1 << (lead - 0xd0);
    const spare = 32 - 8 * size;
    return (uint(size) << spare) >> spare;
  }
  if (lead < 0xd9) return ext(1 << (lead - 0xd4));
  if (lead < 0xdc) return string(uint(1 << (lead - 0xd9)));
  if (lead < 0xde) return array(uint(2 << (lead - 0xdc)), depth);
  return map(uint(2 << (lead - 0xde)), depth);
}

/** Moves over n bytes and returns where they began. */
function skip(n: number): number {
  const from = at;
  if (n > bytes.length - from) throw new CodecError('SHORT', 'the bytes end inside a value');
  at += n;
  return from;
}

/** An unsigned number of 1, 2 or 4 bytes. */
function uint(size: number): number {
  let n = 0;
  for (let i = skip(size); i < at; i++) n = n * 0x100 + bytes[i]!;
  return n;
}

/** An integer of 8 bytes. */
function long(signed: boolean): number | bigint {
  const from = skip(8);
  const n = (signed ? view.getInt32(from) : view.getUint32(from)) * word + view.getUint32(from + 4);
  if (Math.abs(n) < exact) return n;
  const big = signed ? view.getBigInt64(from) : view.getBigUint64(from);
  return big >= -exact && big <= exact ? n : big;
}

function data(n: number): Uint8Array {
  const from = skip(n);
  return bytes.slice(from, at);
}

function ext(n: number): Ext {
  return new Ext(view.getInt8(skip(1)), data(n));
}

function string(n: number): string {
  const from = skip(n);
  if (n < 24) {
    // Short ASCII is faster to put together than to hand over.
    let s = '';
    let i = from;
    for (let c; i < at && (c = bytes[i]!) < 0x80; i++) s += String.fromCharCode(c);
    if (i === at) return s;
  }
  return utf8.decode(bytes.subarray(from, at));
}

/** Checks that n elements of at least so many bytes can be there, and how deep they are. */
function enter(n: number, size: number, depth: number): void {
  if (n * size > bytes.length - at) throw new CodecError('SHORT', 'the bytes end inside a value');
  if (depth === maxDepth) throw new CodecError('DEPTH', 'a value is nested too deep');
}

function array(n: number, depth: number): Value[] {
  enter(n, 1, depth);
  const out: Value[] = [];
  for (; n > 0; n--) out.push(read(depth + 1));
  return out;
}

function map(n: number, depth: number): { [name: string]: Value } {
  enter(n, 2, depth);
  const out: { [name: string]: Value } = {};
  for (; n > 0; n--) {
    const key = read(depth + 1);
    const value = read(depth + 1);
    // A key that is a container, a binary or an extension has no name; nobody sees its entry.
    if (typeof key === 'object' && key) continue;
    const name = String(typeof key === 'bigint' ? Number(key) : key);
    if (name === '__proto__') Object.defineProperty(out, name, { value, enumerable: true, configurable: true, writable: true });
    else out[name] = value;
  }
  return out;
}
