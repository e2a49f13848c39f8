import { encodeNormal } from '../encode.js';
import { compareText } from '../text.js';

/** The place of a value's type: booleans, numbers, texts, everything else, and last what is null or missing. */
function rank(v: unknown): number {
  switch (typeof v) {
    case 'boolean':
      return 0;
    case 'number':
    case 'bigint':
      return 1;
    case 'string':
      return 2;
    default:
      return v == null ? 4 : 3;
  }
}

/**
 * The total order of values, as the server has it: false before true, numbers by their exact value with NaN before all
 * others, texts by the bytes of their UTF-8 form, arrays, objects, bytes and extensions by the bytes of their normal
 * form. Values are at 0 when they are equal.
 */
export function compareValues(a: unknown, b: unknown): number {
  const r = rank(a);
  if (r !== rank(b)) return r - rank(b);
  if (r === 2) return compareText(a as string, b as string);
  if (r === 3) return a === b ? 0 : compareBytes(encodeNormal(a), encodeNormal(b));
  if (r === 4) return 0;
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : x > y ? 1 : Number(y !== y) - Number(x !== x);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

