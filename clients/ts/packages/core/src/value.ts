/** What a record can hold, and what decoding gives back. */
export type Value = null | boolean | number | bigint | string | Uint8Array | Ext | readonly Value[] | { readonly [name: string]: Value };

/** A MessagePack extension: an application's type number and bytes that nothing here looks into. */
export class Ext {
  constructor(
    readonly type: number,
    readonly data: Uint8Array,
  ) {}
}

/** An object of named values, as opposed to an array, bytes or an extension. */
export function isFields(v: unknown): v is { readonly [name: string]: Value } {
  return typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Uint8Array) && !(v instanceof Ext);
}

/**
 * Whether two values are the same: numbers by their value whatever their form (NaN equals NaN, 1n equals 1), objects
 * whatever the order of their names, null and undefined alike.
 */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (typeof a === 'number' || typeof a === 'bigint') {
    if (typeof b !== 'number' && typeof b !== 'bigint') return false;
    // Comparing a number with a bigint by == is exact.
    return a == b || (a !== a && b !== b);
  }
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && sameList(a, b);
  if (a instanceof Ext) return b instanceof Ext && a.type === b.type && sameList(a.data, b.data);
  if (Array.isArray(a)) return Array.isArray(b) && sameList(a, b);
  if (!isFields(a) || !isFields(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((n) => Object.hasOwn(b, n) && equal(a[n], b[n]));
}

function sameList(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!equal(a[i], b[i])) return false;
  return true;
}
