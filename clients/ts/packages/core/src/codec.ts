import { Ext, type Value } from './value.js';

/** How many containers may be open around a value. A scalar has depth 0, an empty array depth 1. */
export const maxDepth = 256;

/** The longest input of decode unless it is told otherwise: 16 MiB. */
export const maxBytes = 16 << 20;

/**
 * What can be wrong:
 * - SHORT: the bytes end inside a value, or a container declares more elements than there are bytes for
 * - FORMAT: the byte that no value starts with
 * - DEPTH: more than maxDepth nested containers; when encoding most often an object that contains itself
 * - TRAILING: bytes after the value
 * - SIZE: more bytes than allowed
 * - UNSUPPORTED: a JavaScript value that has no encoding; the message says where it is and what to store instead
 */
export type CodecErrorCode = 'SHORT' | 'FORMAT' | 'DEPTH' | 'TRAILING' | 'SIZE' | 'UNSUPPORTED';

export class CodecError extends Error {
  override readonly name = 'CodecError';

  constructor(
    readonly code: CodecErrorCode,
    message: string,
  ) {
    super(message);
  }
}

const exact = 2 ** 53;
const word = 2 ** 32;
const utf8 = new TextEncoder();
// A byte order mark at the start of a string is part of the string.
const utf16 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Encodes a value as MessagePack, in the shortest forms and byte for byte as the Go implementation does.
 *
 * Whole numbers within ±2⁵³ are written as integers (−0 as 0), all others as float64, a bigint as the integer it is.
 * Properties that are undefined are left out, undefined elsewhere is nil. Objects are written with their own enumerable
 * properties, also instances of classes. Whatever would lose its meaning (Date, Map, Set, typed arrays other than
 * Uint8Array, functions, symbols, bigints beyond 64 bits) is refused with a CodecError.
 */
export function encode(v: unknown): Uint8Array {
  return new Writer(false).all(v);
}

/**
 * Encodes a value in its normal form, which all equal values share and no others: names in UTF-16 order, whole numbers
 * as integers as far as they have 64 bits.
 */
export function encodeNormal(v: unknown): Uint8Array {
  return new Writer(true).all(v);
}

class Writer {
  bytes = new Uint8Array(128);
  at = 0;
  #view = new DataView(this.bytes.buffer);
  readonly #path: (string | number)[] = [];

  constructor(private readonly normal: boolean) {}

  all(v: unknown): Uint8Array {
    this.value(v, 0);
    return this.bytes.slice(0, this.at);
  }

  value(v: unknown, depth: number): void {
    switch (typeof v) {
      case 'undefined':
        return this.#byte(0xc0);
      case 'boolean':
        return this.#byte(v ? 0xc3 : 0xc2);
      case 'number':
        if (!Number.isInteger(v)) return this.#float(v);
        if (Math.abs(v) <= exact) return this.#int(v);
        return this.normal && v >= -(2 ** 63) && v < 2 ** 64 ? this.#bigint(BigInt(v), depth) : this.#float(v);
      case 'bigint':
        return this.#bigint(v, depth);
      case 'string':
        return this.#string(v);
      case 'object':
        return v === null ? this.#byte(0xc0) : this.#object(v, depth);
      default:
        return this.#refuse(depth, `a ${typeof v}`, 'leave it out');
    }
  }

  #refuse(depth: number, what: string, advice: string): never {
    const path = this.#path.slice(0, depth);
    throw new CodecError('UNSUPPORTED', `${what}${path.length ? ` at ${path.join('.')}` : ''} cannot be stored: ${advice}`);
  }

  /** Makes room for n more bytes and returns where they begin. It may replace bytes and view: call it before their use. */
  #grow(n: number): number {
    const at = this.at;
    if ((this.at += n) > this.bytes.length) {
      const old = this.bytes;
      this.bytes = new Uint8Array(Math.max(this.at, 2 * old.length));
      this.bytes.set(old);
      this.#view = new DataView(this.bytes.buffer);
    }
    return at;
  }

  #byte(b: number): void {
    const at = this.#grow(1);
    this.bytes[at] = b;
  }

  /** A lead byte and a number of 1, 2 or 4 bytes; of negative numbers the two's complement. */
  #sized(lead: number, size: number, n: number): void {
    const at = this.#grow(1 + size);
    this.bytes[at] = lead;
    for (let i = size; i > 0; i--, n >>= 8) this.bytes[at + i] = n;
  }

  #int(n: number): void {
    if (n < -0x8000_0000 || n >= word) {
      this.#sized(n < 0 ? 0xd3 : 0xcf, 4, Math.floor(n / word));
      const at = this.#grow(4);
      this.#view.setUint32(at, n);
    } else if (n >= -32 && n < 128) this.#byte(n);
    else {
      // How often the shortest form doubles: 0, 1 or 2 times.
      const bits = n < 0 ? -n - 1 : n >>> 1;
      const doubled = Number(bits >= 0x80) + Number(bits >= 0x8000);
      this.#sized((n < 0 ? 0xd0 : 0xcc) + doubled, 1 << doubled, n);
    }
  }

  #float(n: number): void {
    this.#byte(0xcb);
    const at = this.#grow(8);
    if (n === n) return this.#view.setFloat64(at, n);
    // JavaScript does not say which of its many forms a NaN has; this is the one that Go writes.
    this.#view.setUint32(at, 0x7ff80000);
    this.#view.setUint32(at + 4, 1);
  }

  #bigint(n: bigint, depth: number): void {
    if (n >= -exact && n <= exact) return this.#int(Number(n));
    if (n !== (n < 0 ? BigInt.asIntN(64, n) : BigInt.asUintN(64, n))) {
      return this.#refuse(depth, 'an integer beyond 64 bits', 'store it as a string');
    }
    this.#byte(n < 0 ? 0xd3 : 0xcf);
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, n));
  }

  /** The header of something that has n bytes or elements; fixed is how many a header of one byte can say. */
  #header(n: number, fixed: number, lead: number, lead8: number, lead16: number): void {
    if (n < fixed) this.#byte(lead | n);
    else if (n < 0x100 && lead8) this.#sized(lead8, 1, n);
    else if (n < 0x10000) this.#sized(lead16, 2, n);
    else this.#sized(lead16 + 1, 4, n);
  }

  #string(s: string): void {
    const n = s.length;
    if (n < 32) {
      // Short strings are most often ASCII, and then their length in bytes is known.
      const start = this.#grow(1 + n);
      this.bytes[start] = 0xa0 | n;
      let i = 0;
      for (let c; i < n && (c = s.charCodeAt(i)) < 0x80; i++) this.bytes[start + 1 + i] = c;
      if (i === n) return;
      this.at = start;
    }
    const b = utf8.encode(s);
    this.#header(b.length, 32, 0xa0, 0xd9, 0xda);
    this.#raw(b);
  }

  #raw(b: Uint8Array): void {
    const at = this.#grow(b.length);
    this.bytes.set(b, at);
  }

  #object(v: object, depth: number): void {
    const tag = Object.prototype.toString.call(v).slice(8, -1);
    if (tag === 'Uint8Array') {
      const b = v as Uint8Array;
      this.#header(b.length, 0, 0, 0xc4, 0xc5);
      return this.#raw(b);
    }
    if (v instanceof Ext) return this.#ext(v);
    if (depth === maxDepth) throw new CodecError('DEPTH', `a value nested deeper than ${maxDepth}, or one that contains itself, cannot be stored`);
    if (Array.isArray(v)) {
      this.#header(v.length, 16, 0x90, 0, 0xdc);
      for (let i = 0; i < v.length; i++) this.#child(i, v[i], depth);
    } else if (tag === 'Object') {
      const fields = v as Record<string, unknown>;
      const names = Object.keys(fields).filter((n) => fields[n] !== undefined);
      if (this.normal) names.sort();
      this.#header(names.length, 16, 0x80, 0, 0xde);
      for (const n of names) {
        this.#string(n);
        this.#child(n, fields[n], depth);
      }
    } else {
      this.#refuse(depth, `a ${tag}`, advice[tag] ?? 'store its content as plain objects and arrays');
    }
  }

  #child(name: string | number, v: unknown, depth: number): void {
    this.#path[depth] = name;
    this.value(v, depth + 1);
  }

  #ext(e: Ext): void {
    const n = e.data.length;
    const fixed = [1, 2, 4, 8, 16].indexOf(n);
    if (fixed >= 0) this.#byte(0xd4 + fixed);
    else this.#header(n, 0, 0, 0xc7, 0xc8);
    this.#byte(e.type);
    this.#raw(e.data);
  }
}

const advice: Record<string, string> = {
  Date: 'store getTime() or toISOString()',
  Map: 'store Object.fromEntries(map)',
  Set: 'store [...set]',
};

/**
 * Decodes exactly one value. Integers beyond ±2⁵³, which a number cannot hold, come as bigint; binaries as Uint8Array,
 * extensions as Ext. Names that are not strings become the text that JavaScript makes of them; of a name given twice the
 * last value counts.
 *
 * Accepts any bytes: every length is checked against what is there before anything is made for it, nothing recurses
 * deeper than maxDepth, and what is not a value is a CodecError.
 */
export function decode(bytes: Uint8Array, limit = maxBytes): Value {
  if (bytes.length > limit) throw new CodecError('SIZE', `${bytes.length} bytes are more than the ${limit} allowed`);
  const r = new Reader(bytes);
  const v = r.value(0);
  if (r.at < bytes.length) throw new CodecError('TRAILING', `${bytes.length - r.at} bytes follow the value`);
  return v;
}

class Reader {
  at = 0;
  readonly #view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): Value {
    const lead = this.bytes[this.#skip(1)]!;
    if (lead < 0x80) return lead;
    if (lead >= 0xe0) return lead - 0x100;
    if (lead < 0x90) return this.#map(lead & 15, depth);
    if (lead < 0xa0) return this.#array(lead & 15, depth);
    if (lead < 0xc0) return this.#string(lead & 31);
    if (lead < 0xc4) {
      if (lead === 0xc1) throw new CodecError('FORMAT', 'no value starts with the byte c1');
      return lead === 0xc0 ? null : lead === 0xc3;
    }
    // What is left comes in families, each with its sizes in ascending order.
    if (lead < 0xc7) return this.#data(this.#uint(1 << (lead - 0xc4)));
    if (lead < 0xca) return this.#ext(this.#uint(1 << (lead - 0xc7)));
    if (lead === 0xca) return this.#view.getFloat32(this.#skip(4));
    if (lead === 0xcb) return this.#view.getFloat64(this.#skip(8));
    if (lead < 0xcf) return this.#uint(1 << (lead - 0xcc));
    if (lead === 0xcf || lead === 0xd3) return this.#long(lead === 0xd3);
    if (lead < 0xd3) {
      const size = 1 << (lead - 0xd0);
      const spare = 32 - 8 * size;
      return (this.#uint(size) << spare) >> spare;
    }
    if (lead < 0xd9) return this.#ext(1 << (lead - 0xd4));
    if (lead < 0xdc) return this.#string(this.#uint(1 << (lead - 0xd9)));
    if (lead < 0xde) return this.#array(this.#uint(2 << (lead - 0xdc)), depth);
    return this.#map(this.#uint(2 << (lead - 0xde)), depth);
  }

  /** Moves over n bytes and returns where they began. */
  #skip(n: number): number {
    const at = this.at;
    if (n > this.bytes.length - at) throw new CodecError('SHORT', 'the bytes end inside a value');
    this.at += n;
    return at;
  }

  /** An unsigned number of 1, 2 or 4 bytes. */
  #uint(size: number): number {
    let n = 0;
    for (let at = this.#skip(size); at < this.at; at++) n = n * 0x100 + this.bytes[at]!;
    return n;
  }

  /** An integer of 8 bytes. */
  #long(signed: boolean): number | bigint {
    const at = this.#skip(8);
    const n = (signed ? this.#view.getInt32(at) : this.#view.getUint32(at)) * word + this.#view.getUint32(at + 4);
    if (Math.abs(n) < exact) return n;
    const big = signed ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at);
    return big >= -exact && big <= exact ? n : big;
  }

  #data(n: number): Uint8Array {
    const at = this.#skip(n);
    return this.bytes.slice(at, at + n);
  }

  #ext(n: number): Ext {
    return new Ext(this.#view.getInt8(this.#skip(1)), this.#data(n));
  }

  #string(n: number): string {
    const at = this.#skip(n);
    const end = at + n;
    if (n < 24) {
      // Short ASCII is faster to put together than to hand over.
      let s = '';
      let i = at;
      for (let c; i < end && (c = this.bytes[i]!) < 0x80; i++) s += String.fromCharCode(c);
      if (i === end) return s;
    }
    return utf16.decode(this.bytes.subarray(at, end));
  }

  /** Checks that n elements of at least so many bytes can be there, and how deep they are. */
  #enter(n: number, size: number, depth: number): void {
    if (n * size > this.bytes.length - this.at) throw new CodecError('SHORT', 'the bytes end inside a container');
    if (depth === maxDepth) throw new CodecError('DEPTH', `a value is nested deeper than ${maxDepth}`);
  }

  #array(n: number, depth: number): Value[] {
    this.#enter(n, 1, depth);
    const out: Value[] = [];
    for (; n > 0; n--) out.push(this.value(depth + 1));
    return out;
  }

  #map(n: number, depth: number): { [name: string]: Value } {
    this.#enter(n, 2, depth);
    const out: { [name: string]: Value } = {};
    for (; n > 0; n--) {
      const key = this.value(depth + 1);
      const v = this.value(depth + 1);
      // A key that is a container, a binary or an extension has no name; nobody sees its entry.
      if (typeof key === 'object' && key !== null) continue;
      const name = String(typeof key === 'bigint' ? Number(key) : key);
      if (name === '__proto__') Object.defineProperty(out, name, { value: v, enumerable: true, configurable: true, writable: true });
      else out[name] = v;
    }
    return out;
  }
}
