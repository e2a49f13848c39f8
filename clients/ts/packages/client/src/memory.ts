import type { Key, Storage } from './environment.js';

type Entry = [Key, Uint8Array];

/** A storage that lasts as long as the object. */
export class MemoryStorage implements Storage {
  readonly durable = false;
  readonly #entries = new Map<string, Entry>();

  async open(): Promise<void> {}

  async list(prefix: Key, limit: number, after?: Key): Promise<Entry[]> {
    return [...this.#entries.values()]
      .filter(([key]) => prefix.every((part, i) => key[i] === part) && (!after || compareKeys(key, after) > 0))
      .sort((a, b) => compareKeys(a[0], b[0]))
      .slice(0, limit);
  }

  async update(reads: readonly Key[], change: (held: (Uint8Array | undefined)[]) => [Key, Uint8Array | null][]): Promise<void> {
    for (const [key, bytes] of change(reads.map((key) => this.#entries.get(idOf(key))?.[1]))) {
      if (bytes) this.#entries.set(idOf(key), [key, bytes]);
      else this.#entries.delete(idOf(key));
    }
  }

  close(): void {}
}

/** What tells keys apart. */
export function idOf(key: Key): string {
  return key.join('\0');
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
