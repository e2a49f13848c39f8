import { copy, inside, say } from './dom.js';
import type { Entry, Step } from './journal.js';

/** The side note: what just happened to each write. */
export class Note {
  readonly #list: HTMLElement;
  readonly #shown = new Map<number, HTMLLIElement>();

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  show(entries: readonly Entry[]): void {
    const keys = new Set(entries.map((e) => e.key));
    for (const [key, element] of this.#shown) {
      if (keys.has(key)) continue;
      this.#shown.delete(key);
      element.remove();
    }
    for (const entry of entries.toReversed()) {
      let element = this.#shown.get(entry.key);
      if (!element) {
        element = copy('write', HTMLLIElement);
        this.#shown.set(entry.key, element);
        this.#list.prepend(element);
      }
      this.#fill(element, entry);
    }
  }

  #fill(element: HTMLElement, entry: Entry): void {
    say(inside(element, 'b', HTMLElement), entry.title);
    const time = inside(element, 'time', HTMLTimeElement);
    const at = new Date(entry.at);
    time.dateTime = at.toISOString();
    say(time, at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' }));
    for (const li of element.querySelectorAll<HTMLElement>('.track li')) {
      const step = li.dataset['step'] as Step;
      const took = entry.took.get(step);
      const refused = step === 'disk' && entry.refused !== undefined;
      li.classList.toggle('reached', took !== undefined);
      li.classList.toggle('refused', refused);
      say(inside(li, 'span', HTMLElement), refused ? 'refused' : words(step, entry));
      say(inside(li, 'em', HTMLElement), took === undefined || refused ? '' : duration(took));
      if (refused) li.title = entry.refused ?? '';
    }
  }
}

function words(step: Step, { by, durable }: Entry): string {
  switch (step) {
    case 'local':
      return 'here';
    case 'sent':
      return 'sent';
    case 'disk':
      return durable ? 'on disk' : 'on server';
    case 'seen':
      return by.length === 0 ? 'seen' : by.length === 1 ? (by[0] ?? '') : `${by.length} people`;
  }
}

/** A duration in milliseconds, for people. */
function duration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 99_500) return `${(ms / 1_000).toFixed(ms < 9_950 ? 1 : 0)} s`;
  return `${Math.round(ms / 60_000)} min`;
}
