import type { Environment } from './environment.js';

/** How long changes from elsewhere are collected before the application hears of them, in milliseconds. */
const collect = 8;

/**
 * Tells the application of changes, in batches: of its own ones before anything else runs, of those of others together
 * with what comes within a few milliseconds.
 */
export class Flusher {
  readonly #env: Environment;
  readonly #report: (err: unknown) => void;
  readonly #due = new Set<() => void>();
  #soon = false;
  #later: (() => void) | undefined;
  #took = 0;

  constructor(env: Environment, report: (err: unknown) => void) {
    this.#env = env;
    this.#report = report;
  }

  /** Calls back with the next batch, once however often it is asked. */
  add(callback: () => void, urgent: boolean): void {
    this.#due.add(callback);
    if (urgent && !this.#soon) {
      this.#soon = true;
      queueMicrotask(() => this.#flush());
    } else if (!this.#soon && !this.#later) {
      // What takes long is done less often.
      this.#later = this.#env.timer(() => this.#flush(), Math.max(collect, 4 * this.#took));
    }
  }

  #flush(): void {
    this.#soon = false;
    this.#later?.();
    this.#later = undefined;
    const due = [...this.#due];
    this.#due.clear();
    const begun = this.#env.now();
    for (const callback of due) this.call(callback);
    this.#took = this.#env.now() - begun;
  }

  /** Runs code of the application: what it throws ends nothing but itself. */
  call(callback: () => void): void {
    try {
      callback();
    } catch (err) {
      this.#report(err);
    }
  }
}
