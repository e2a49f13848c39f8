/** Digits in the order in which texts compare. */
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const base = BigInt(digits.length);

/** How far from its neighbour, at most, something goes that is put first or last, in units of the fourth digit. */
const step = 2000;

/**
 * A place in a list: a fraction between 0 and 1, written in 62 digits and without zeros at its end, so that places
 * compare as their texts do. To move an item is to give it a place between two others; no other item changes.
 */
export type Place = string;

/** Whether a value that came from elsewhere is a place. */
export function isPlace(v: unknown): v is Place {
  return typeof v === 'string' && v.length <= 1000 && /^[0-9A-Za-z]*[1-9A-Za-z]$/.test(v);
}

/**
 * A place behind one and before another, undefined for the ends of the list. Before must be less than after. Where
 * exactly is up to chance, so that two who put something between the same neighbours hardly ever get the same place.
 */
export function between(before: Place | undefined, after: Place | undefined, random: () => number): Place {
  for (let length = Math.max(4, before?.length ?? 0, after?.length ?? 0); ; length += 2) {
    const low = before === undefined ? 0n : read(before, length);
    const high = after === undefined ? base ** BigInt(length) : read(after, length);
    const room = high - low - 1n;
    // With little room for chance, two would meet: rather a longer place.
    if (room < 60n) continue;
    return write(low + 1n + pick(before, after, room, length, random), length);
  }
}

function pick(before: Place | undefined, after: Place | undefined, room: bigint, length: number, random: () => number): bigint {
  const chance = BigInt(Math.floor(random() * 2 ** 32));
  const near = BigInt(step) * base ** BigInt(length - 4);
  const share = (of: bigint): bigint => (chance * of) >> 32n;
  const close = room < near ? room : near;
  if (before !== undefined && after === undefined) return share(close);
  if (before === undefined && after !== undefined) return room - 1n - share(close);
  return room / 3n + share(room / 3n);
}

function read(place: Place, length: number): bigint {
  let n = 0n;
  for (let i = 0; i < length; i++) n = n * base + BigInt(i < place.length ? digits.indexOf(place.charAt(i)) : 0);
  return n;
}

function write(n: bigint, length: number): Place {
  let out = '';
  for (let i = 0; i < length; i++) {
    out = digits.charAt(Number(n % base)) + out;
    n /= base;
  }
  return out.replace(/0+$/, '');
}
