import { merkleLeaf } from '@topgun/core';
import type { Key } from './environment.js';
import { messageOf, TopGunError } from './errors.js';
import type { Parts } from './feature.js';
import { idOf } from './memory.js';
import { changePage } from './pages.js';
import type { Change } from './replica.js';
import type { Kind } from './state.js';

/** The most keys of one step, so that none holds anybody up for long. */
const stepKeys = 64;
const firstRetry = 1000;
const lastRetry = 30_000;

interface Entry {
  readonly key: Key;
  /** Whether change looks at what the key holds. */
  readonly reads: boolean;
  /** May be called more than once. */
  change(held: Uint8Array | undefined): Uint8Array | null | undefined;
  /** Of a page: what change applies; more may be added. */
  readonly changes?: Change<unknown>[];
}

/**
 * The way to the storage. What is to be stored waits here, by key, until the step before it is through; then it goes in
 * order, many keys in one step. What others have stored meanwhile is merged, never overwritten.
 */
export class Disk {
  readonly #p: Parts;
  readonly #queue = new Map<string, Entry>();
  #waiting: { after: number; callback: (stored: boolean) => void; final: boolean }[] = [];
  #put = 0;
  #stored = 0;
  #open = false;
  #running = false;
  #retry = 0;
  #stopRetry: (() => void) | undefined;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  /** Whether storing has failed, and is tried again from time to time. */
  get failing(): boolean {
    return this.#retry > 0;
  }

  /** Begins to store: the storage is open. */
  start(): void {
    this.#open = true;
    void this.#run();
  }

  /**
   * Stores bytes, or null to delete the key, whatever it holds; or what is made when it is needed, also of what the key
   * holds then if it reads that: it has to include what an earlier one would have made.
   */
  set(key: Key, bytes: Uint8Array | null | Entry['change'], reads = false): void {
    this.#enqueue({ key, reads, change: typeof bytes === 'function' ? bytes : () => bytes });
  }

  /** Stores a change of a replica. */
  page<S>(kind: Kind<S>, map: string, change: Change<S>): void {
    const key: Key = [kind.prefix, map, merkleLeaf(change.key)];
    const waiting = this.#queue.get(idOf(key));
    if (waiting) {
      waiting.changes!.push(change as Change<unknown>);
      return;
    }
    const changes = [change];
    this.#enqueue({ key, reads: true, change: (held) => changePage(kind, held, changes), changes: changes as Change<unknown>[] });
  }

  /** Calls back when everything that was given before is stored, or cannot be for now; final waits until it is. */
  after(callback: (stored: boolean) => void, final = false): void {
    if (this.#retry && !final) queueMicrotask(() => callback(false));
    else if (this.#stored === this.#put) queueMicrotask(() => callback(true));
    else this.#waiting.push({ after: this.#put, callback, final });
  }

  /** A promise of what after calls back for. */
  settled(final?: boolean): Promise<boolean> {
    return new Promise((resolve) => this.after(resolve, final));
  }

  close(): void {
    this.#open = false;
    this.#stopRetry?.();
    this.#release(Infinity, false);
  }

  #enqueue(entry: Entry): void {
    const id = idOf(entry.key);
    // A later entry of a key takes the place of the earlier one, which nobody has seen; #put counts places.
    if (!this.#queue.has(id)) this.#put++;
    this.#queue.set(id, entry);
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running || !this.#open || this.#stopRetry) return;
    this.#running = true;
    // What is written in one go is stored in one step.
    await null;
    while (this.#open && this.#queue.size) {
      const batch = this.#take();
      try {
        await this.#p.env.storage.update(
          batch.filter((e) => e.reads).map((e) => e.key),
          (held) => write(batch, held),
        );
      } catch (err) {
        this.#fail(batch, err);
        break;
      }
      this.#retry = 0;
      this.#stored += batch.length;
      this.#release(this.#stored, true);
    }
    this.#running = false;
  }

  #take(): Entry[] {
    const batch: Entry[] = [];
    for (const [id, entry] of this.#queue) {
      if (batch.length === stepKeys) break;
      batch.push(entry);
      this.#queue.delete(id);
    }
    return batch;
  }

  /** Puts back what could not be stored, in front of what came meanwhile, and tries again later. */
  #fail(batch: Entry[], err: unknown): void {
    const later = [...this.#queue];
    this.#queue.clear();
    for (const entry of batch) this.#queue.set(idOf(entry.key), entry);
    for (const [id, entry] of later) {
      const first = this.#queue.get(id);
      // It counts once, and whoever waits for it does not wait for more.
      if (first) this.#put--;
      if (first?.changes) first.changes.push(...entry.changes!);
      else this.#queue.set(id, entry);
    }
    for (const w of this.#waiting) w.after = Math.min(w.after, this.#put);
    this.#retry = Math.min(lastRetry, 2 * this.#retry || firstRetry);
    this.#p.events.report(new TopGunError('STORAGE', `cannot write the storage: ${messageOf(err)}`));
    this.#release(Infinity, false);
    this.#stopRetry = this.#p.env.timer(() => {
      this.#stopRetry = undefined;
      void this.#run();
    }, this.#retry);
  }

  #release(upTo: number, stored: boolean): void {
    const due = this.#waiting.filter((w) => w.after <= upTo && (stored || !w.final));
    this.#waiting = this.#waiting.filter((w) => !due.includes(w));
    for (const w of due) w.callback(stored);
  }
}

function write(batch: Entry[], held: (Uint8Array | undefined)[]): [Key, Uint8Array | null][] {
  const out: [Key, Uint8Array | null][] = [];
  let i = 0;
  for (const e of batch) {
    const bytes = e.change(e.reads ? held[i++] : undefined);
    if (bytes !== undefined) out.push([e.key, bytes]);
  }
  return out;
}
