import { byId } from './dom.js';

type Step = 'two' | 'off' | 'on';

const key = 'board.minute';

/** The first minute: three things to try, each ticked off when it was done. */
export class Minute {
  readonly #element = byId('minute', HTMLDetailsElement);
  readonly #had: Set<string>;

  constructor() {
    this.#had = new Set((localStorage.getItem(key) ?? '').split(' '));
    this.#show();
    if (this.#all) this.#element.open = false;
  }

  get #all(): boolean {
    return this.#steps().every((li) => this.#had.has(li.dataset['step'] ?? ''));
  }

  had(step: Step): boolean {
    return this.#had.has(step);
  }

  /** Ticks a step off. */
  done(step: Step): void {
    if (this.#had.has(step)) return;
    this.#had.add(step);
    localStorage.setItem(key, [...this.#had].join(' ').trim());
    this.#show();
  }

  #show(): void {
    for (const li of this.#steps()) li.classList.toggle('had', this.#had.has(li.dataset['step'] ?? ''));
  }

  #steps(): HTMLLIElement[] {
    return [...this.#element.querySelectorAll('li')];
  }
}
