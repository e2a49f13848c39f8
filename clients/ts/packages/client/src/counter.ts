import { decode, encode, PNCounter, type CounterState, type messages, type ServerMessage } from '@topgun/core';
import { TopGunError } from './errors.js';
import type { Feature, Parts } from './feature.js';

/** How long what is counted is collected before it is sent, in milliseconds. */
const collect = 50;
/** How long another client may take to send what it has told, in milliseconds. */
const patience = 2000;

/** A counter that any number of clients count up and down, offline too. */
export class CounterHandle {
  readonly #counter: Counter;

  /** @internal */
  constructor(counter: Counter) {
    this.#counter = counter;
  }

  get name(): string {
    return this.#counter.name;
  }

  /** The value as far as it is known here, with all that was counted here. */
  get(): number {
    return this.#counter.value;
  }

  increment(): number {
    return this.addAndGet(1);
  }

  decrement(): number {
    return this.addAndGet(-1);
  }

  /** Adds a finite number, fractions allowed, and returns the value. Throws INVALID_AMOUNT. */
  addAndGet(delta: number): number {
    return this.#counter.add(delta);
  }

  /** Calls back with the value now and whenever it has changed; the result ends it. */
  subscribe(callback: (value: number) => void): () => void {
    return this.#counter.subscribe(callback);
  }
}

/** A counter and what waits on it. */
class Counter {
  /** Whether the server has not yet confirmed all that is known here. */
  waits = false;
  readonly #parts: Parts;
  readonly #own: () => string;
  readonly #counter = new PNCounter();
  readonly #callbacks = new Set<(value: number) => void>();
  /** What was counted before it was known under which name, and what was counted under it before. */
  #early = 0;
  #loaded = false;
  #stopTimer: (() => void) | undefined;
  #told: number | undefined;
  readonly #flush = (): void => {
    const { value } = this;
    if (value === this.#told) return;
    this.#told = value;
    for (const callback of this.#callbacks) this.#parts.flusher.call(() => callback(value));
  };

  constructor(
    parts: Parts,
    readonly name: string,
    own: () => string,
  ) {
    this.#parts = parts;
    this.#own = own;
    if (own()) this.load();
  }

  get value(): number {
    return this.#counter.value + this.#early;
  }

  add(delta: number): number {
    if (!Number.isFinite(delta)) throw new TopGunError('INVALID_AMOUNT', `${delta} cannot be counted: use a finite number`);
    if (delta === 0) return this.value;
    if (this.#loaded) this.#add(delta);
    else this.#early += delta;
    this.#parts.flusher.add(this.#flush, true);
    return this.value;
  }

  #add(delta: number): void {
    try {
      this.#counter.add(this.#own(), delta);
    } catch (err) {
      throw new TopGunError('INVALID_AMOUNT', String(err));
    }
    this.waits = true;
    this.store();
    const { disk, tabs, events } = this.#parts;
    // Who counts under this name next goes on from what is stored; nobody may know of more.
    disk.after((stored) => {
      if (stored) tabs.tell({ counter: this.name, state: this.#counter.state() });
      this.#later(collect);
    });
    events.changed();
  }

  /** Sends what the server does not have, after a while in which it may turn out that it has it. */
  #later(ms: number): void {
    this.#stopTimer ??= this.#parts.env.timer(() => {
      this.#stopTimer = undefined;
      if (this.waits) this.send();
    }, ms);
  }

  subscribe(callback: (value: number) => void): () => void {
    this.#callbacks.add(callback);
    this.#parts.flusher.call(() => callback(this.value));
    return () => this.#callbacks.delete(callback);
  }

  /** Resolves when what was counted before the call is on its way to the storage. */
  ready: Promise<void> | undefined;

  /** Reads what is stored, once it is known who counts here. */
  load(): void {
    this.ready = this.#load().catch((err: unknown) => this.#parts.events.report(err));
  }

  async #load(): Promise<void> {
    const [entry] = await this.#parts.env.storage.list(['c', this.name], 1);
    if (entry) this.merge(decode(entry[1]) as unknown as CounterState);
    this.#loaded = true;
    const early = this.#early;
    this.#early = 0;
    if (early) this.#add(early);
    // What an earlier client has counted may not be there; the server's answer tells.
    this.waits ||= !!entry;
    this.send();
  }

  /** Presents what is known, or asks. Both subscribe. */
  send(): void {
    const { link } = this.#parts;
    if (this.waits) link.send({ type: 'COUNTER_SYNC', payload: { name: this.name, state: this.#counter.state() } });
    else link.send({ type: 'COUNTER_REQUEST', payload: { name: this.name } });
  }

  /** Takes in counts; returns whether they were new. */
  merge(state: CounterState): boolean {
    const changed = this.#counter.merge(state);
    if (changed) this.#parts.flusher.add(this.#flush, false);
    return changed;
  }

  /** What another client of the storage has counted, and sends, unless it is gone before. */
  told(state: CounterState): void {
    if (this.merge(state)) this.#lacks(true);
  }

  /** What the server holds. */
  confirm(state: CounterState): void {
    if (this.merge(state)) this.store();
    const theirs = new PNCounter();
    theirs.merge(state);
    this.#lacks(theirs.merge(this.#counter.state()));
  }

  /** Whether there is more here than the server has. */
  #lacks(waits: boolean): void {
    if (waits) this.#later(patience);
    if (waits === this.waits) return;
    this.waits = waits;
    this.#parts.events.changed();
  }

  /** Stores what is known, with what other clients have stored. */
  store(): void {
    const merge = (held?: Uint8Array): Uint8Array => {
      const all = new PNCounter();
      if (held) all.merge(decode(held) as unknown as CounterState);
      all.merge(this.#counter.state());
      return encode(all.state());
    };
    this.#parts.disk.set(['c', this.name], merge, true);
  }
}

/** All counters of a client. */
export class Counters implements Feature {
  readonly #parts: Parts;
  readonly #counters = new Map<string, Counter>();
  /** Under which name this client counts; unknown before it has a namespace. */
  #own = '';

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  open(name: string): Counter {
    let counter = this.#counters.get(name);
    if (!counter) this.#counters.set(name, (counter = new Counter(this.#parts, name, () => this.#own)));
    return counter;
  }

  /** How many have counts that the server has not confirmed. */
  get waiting(): number {
    let n = 0;
    for (const c of this.#counters.values()) n += +c.waits;
    return n;
  }

  start(own: string): void {
    this.#own = own;
    for (const c of this.#counters.values()) c.load();
  }

  /** Resolves when what was counted before the call is on its way to the storage. */
  async ready(): Promise<void> {
    for (const c of this.#counters.values()) await c.ready;
  }

  attached(): void {
    for (const c of this.#counters.values()) c.send();
  }

  receive(m: ServerMessage): void {
    if (m.type === 'COUNTER_UPDATE' || m.type === 'COUNTER_RESPONSE') this.#counters.get(m.payload.name)?.confirm(plain(m.payload.state));
  }

  /** What another client of the storage has counted; it has stored that itself. */
  told({ counter, state }: { readonly [name: string]: unknown }): void {
    this.#counters.get(counter as string)?.told(state as CounterState);
  }
}

/** A state in the one form, whichever the server has chosen. */
function plain(state: messages.CounterState): CounterState {
  return { positive: state.positive ?? state.p ?? {}, negative: state.negative ?? state.n ?? {} };
}
