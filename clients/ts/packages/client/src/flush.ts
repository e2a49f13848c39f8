import type { Parts } from './feature.js';

/** How long changes from elsewhere are collected before the application hears of them, in milliseconds. */
const collect = 8;

/**
 * Tells the application of changes, in batches: of its own ones before anything else runs, of those of others together
 * with what comes within a few milliseconds.
 */
export class Flusher {
  readonly #p: Parts;
  readonly #due = new Set<() => void>();
  #soon = false;
  #later: (() => void) | undefined;
  #took = 0;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  /** Calls back with the next batch, once however often it is asked. */
  add(callback: () => void, urgent: boolean): void {
    this.#due.add(callback);
    if (urgent && !this.#soon) {
      this.#soon = true;
      queueMicrotask(() => this.#flush());
    } else if (!this.#soon && !this.#later) {
      // What takes long is done less often.
      this.#later = this.#p.env.timer(() => this.#flush(), Math.max(collect, 4 * this.#took));
    }
  }

  #flush(): void {
    this.#soon = false;
    this.#later?.();
    this.#later = undefined;
    const due = [...this.#due];
    this.#due.clear();
    const begun = this.#p.env.now();
    for (const callback of due) this.call(callback);
    this.#took = this.#p.env.now() - begun;
  }

  /** Runs code of the application: what it throws ends nothing but itself. */
  call(callback: () => void): void {
    try {
      callback();
    } catch (err) {
      this.#p.events.report(err);
    }
  }
}
