import type { Key, Storage } from './environment.js';

/** A storage that lasts as long as the object. */
export class MemoryStorage implements Storage {
  readonly durable = false;
  #entries: [Key, Uint8Array][] = [];

  async open(): Promise<void> {}

  async list(prefix: Key, limit: number, after: Key = prefix): Promise<[Key, Uint8Array][]> {
    const [at, found] = this.#find(after);
    const out: [Key, Uint8Array][] = [];
    for (let i = found && after !== prefix ? at + 1 : at; i < this.#entries.length && out.length < limit; i++) {
      const entry = this.#entries[i]!;
      if (!prefix.every((part, n) => entry[0][n] === part)) break;
      out.push(entry);
    }
    return out;
  }

  async update(reads: readonly Key[], change: (held: (Uint8Array | undefined)[]) => [Key, Uint8Array | null][]): Promise<void> {
    const held = reads.map((key) => {
      const [at, found] = this.#find(key);
      return found ? this.#entries[at]![1] : undefined;
    });
    for (const [key, bytes] of change(held)) {
      const [at, found] = this.#find(key);
      if (bytes) this.#entries.splice(at, +found, [key, bytes]);
      else if (found) this.#entries.splice(at, 1);
    }
  }

  close(): void {}

  #find(key: Key): [at: number, found: boolean] {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      const c = compareKeys(this.#entries[mid]![0], key);
      if (c === 0) return [mid, true];
      if (c < 0) low = mid + 1;
      else high = mid;
    }
    return [low, false];
  }
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x === y) continue;
    return typeof x === typeof y ? (x < y ? -1 : 1) : typeof x === 'number' ? -1 : 1;
  }
  return a.length - b.length;
}
