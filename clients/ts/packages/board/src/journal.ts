import type { Write } from '@topgun/client';
import type { Act } from './model.js';

/** What becomes of a write, in order. */
export type Step = 'local' | 'sent' | 'disk' | 'seen';

/** One act of a person in front of this page, and how far it has come. */
export interface Entry {
  readonly key: number;
  readonly item: string;
  title: string;
  /** When it was done, on this machine's clock. */
  at: number;
  /** Milliseconds from the act to each step that it has reached. */
  readonly took: Map<Step, number>;
  /** Who has it on the screen. */
  readonly by: string[];
  /** Whether it survives a reload. */
  stored: boolean;
  /** Whether the server has it on its disk, rather than in its memory alone; known once it has it. */
  durable: boolean;
  /** Why the server refused it, if it did. */
  refused: string | undefined;
}

/** Acts that are remembered; older ones go on, untold. */
const most = 8;

/** Acts on one item that follow each other this closely are told as one: typing is one act. In milliseconds. */
const close = 1_500;

/** Tells what became of the acts of this page. */
export class Journal {
  readonly #now: () => number;
  readonly #clock: () => number;
  #entries: Followed[] = [];
  readonly #tags = new Map<string, Followed>();
  #next = 0;

  /** Called when an act was done or has come further. */
  onChange: (entry: Entry) => void = () => {};

  /** Now measures time, clock tells it. */
  constructor(now: () => number, clock: () => number) {
    this.#now = now;
    this.#clock = clock;
  }

  /** The latest acts, the last one first. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Follows an act that began at a time of now. */
  follow(title: string, kind: string, began: number, act: Act): void {
    const entry = this.#entry(act.id, kind, title);
    entry.began = began;
    entry.took.clear();
    entry.by.length = 0;
    entry.stored = false;
    for (const [tag, of] of this.#tags) if (of === entry || !this.#entries.includes(of)) this.#tags.delete(tag);
    // What is on screen is the last write of the act.
    const last = act.tags.at(-1);
    if (last !== undefined) this.#tags.set(last, entry);
    const look = (): void => {
      if (entry.began === began) this.#look(entry, act.writes);
    };
    for (const w of act.writes) w.onChange(look);
    look();
  }

  /** Notes how far the writes of an act have come. */
  #look(entry: Followed, writes: readonly Write[]): void {
    const all = (...states: Write['state'][]): boolean => writes.every((w) => states.includes(w.state));
    const reach = (step: Step): void => {
      if (!entry.took.has(step)) entry.took.set(step, this.#now() - entry.began);
    };
    reach('local');
    if (all('stored', 'sent', 'acknowledged')) entry.stored = true;
    if (all('sent', 'acknowledged')) reach('sent');
    if (all('acknowledged')) {
      entry.durable = writes.every((w) => w.level === 'PERSISTED');
      reach('disk');
    }
    entry.refused = writes.find((w) => w.state === 'refused')?.error?.message;
    this.onChange(entry);
  }

  /** Notes that somebody has writes on the screen. */
  seen(writes: readonly string[], by: string): void {
    for (const tag of writes) {
      const entry = this.#tags.get(tag);
      if (!entry || entry.by.includes(by)) continue;
      entry.by.push(by);
      if (!entry.took.has('seen')) entry.took.set('seen', this.#now() - entry.began);
      this.onChange(entry);
    }
  }

  /** The entry of an act: a new one, or that of the same typing. */
  #entry(item: string, kind: string, title: string): Followed {
    const top = this.#entries[0];
    const at = this.#clock();
    if (top && top.item === item && top.kind === kind && Math.abs(at - top.at) < close) {
      top.title = title;
      top.at = at;
      return top;
    }
    const entry: Followed = { key: this.#next++, item, kind, title, at, began: 0, took: new Map(), by: [], stored: false, durable: true, refused: undefined };
    this.#entries = [entry, ...this.#entries.slice(0, most - 1)];
    return entry;
  }
}

/** An entry with what the journal alone needs. */
interface Followed extends Entry {
  readonly kind: string;
  began: number;
}
