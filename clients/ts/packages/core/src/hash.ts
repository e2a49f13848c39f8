const offset = 0x811c9dc5;
const prime = 0x01000193;

/**
 * 32-bit FNV-1a over the UTF-16 code units of a text, as an unsigned number. It places a key in the Merkle tree and in
 * a partition, and over longer texts it is the entry hash of a record.
 */
export function hash(text: string): number {
  let h = offset;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), prime);
  return h >>> 0;
}

/** Spreads the bits of a hash over the whole word. It is a bijection of 32-bit words with mix(0) = 0. */
export function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Folds hashes into one that does not depend on their order: the sum of their mixes modulo 2³². */
export function combine(hashes: Iterable<number>): number {
  let sum = 0;
  for (const h of hashes) sum = (sum + mix(h)) | 0;
  return sum >>> 0;
}

/** How many partitions there are. */
export const partitions = 271;

/** The partition of a key, or of the name of a counter or topic. */
export function partitionOf(key: string): number {
  return hash(key) % partitions;
}
