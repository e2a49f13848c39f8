import { hash, mix } from './hash.js';

/** The number of digits in the path of a leaf. */
export const merkleDepth = 3;

const leaves = 16 ** merkleDepth;

/** The leaf of a key, 0 … 4095. */
export function merkleLeaf(key: string): number {
  return hash(key) >>> 20;
}

/** The path of the leaf of a key: three lower-case hexadecimal digits. */
export function merklePath(key: string): string {
  return merkleLeaf(key).toString(16).padStart(merkleDepth, '0');
}

/**
 * The hash tree by which two replicas of a map find where they differ: 4096 leaves under two levels of sixteen children
 * and a root. The path of a node is up to three lower-case hexadecimal digits, '' for the root.
 *
 * A leaf's hash is the sum of the mixed entry hashes of its keys, a node's the sum of the mixed hashes of its children.
 * A key may be in a leaf without an entry hash, as one with nothing but tombstones is.
 */
export class MerkleTree {
  readonly #sums = new Uint32Array(leaves);
  readonly #counts = new Uint32Array(leaves);

  /**
   * Changes the leaf of one key.
   *
   * @param oldEntry the entry hash that the tree holds for the key, 0 for none; a wrong one spoils the leaf
   * @param newEntry the one that it shall hold, 0 for none
   * @param delta +1 when the key is new, −1 when it goes, else 0
   */
  update(key: string, oldEntry: number, newEntry: number, delta: number): void {
    const i = merkleLeaf(key);
    this.#sums[i]! += mix(newEntry) - mix(oldEntry);
    this.#counts[i]! += delta;
  }

  /** Empties the tree. */
  clear(): void {
    this.#sums.fill(0);
    this.#counts.fill(0);
  }

  /** The hash of the root; 0 for the empty tree. */
  root(): number {
    return this.#hash(0, leaves);
  }

  /**
   * The hash of each child of a node that has keys below it, by its digit. A leaf has no children, and neither has what
   * is not a path.
   */
  children(path: string): Map<string, number> {
    const out = new Map<string, number>();
    const range = merkleRange(path);
    if (!range || range.width === 1) return out;
    const width = range.width / 16;
    for (let d = 0; d < 16; d++) {
      const first = range.first + d * width;
      if (this.#keys(first, width)) out.set(d.toString(16), this.#hash(first, width));
    }
    return out;
  }

  /** How many keys are below a node. */
  keys(path: string): number {
    const range = merkleRange(path);
    return range ? this.#keys(range.first, range.width) : 0;
  }

  #keys(first: number, width: number): number {
    let n = 0;
    for (let i = first; i < first + width; i++) n += this.#counts[i]!;
    return n;
  }

  #hash(first: number, width: number): number {
    if (width === 1) return this.#sums[first]!;
    let sum = 0;
    for (let i = first; i < first + width; i += width / 16) sum = (sum + mix(this.#hash(i, width / 16))) | 0;
    return sum >>> 0;
  }
}

/** The leaves below a path; undefined when it is none. */
export function merkleRange(path: string): { first: number; width: number } | undefined {
  if (!/^[0-9a-f]{0,3}$/.test(path)) return undefined;
  const width = 16 ** (merkleDepth - path.length);
  return { first: parseInt(path || '0', 16) * width, width };
}
