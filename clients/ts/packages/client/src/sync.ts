import { type messages, type Timestamp } from '@topgun/core';
import type { Parts } from './feature.js';
import type { AnyReplica } from './replicas.js';

/** How many questions about a map may be open at once. */
const openQuestions = 256;
/** So many rounds follow each other at once; after that replica and server differ because others write, or for long. */
const eagerRounds = 3;
const firstRetry = 50;
const lastRetry = 5000;
/** How long an answer may take before the round is begun anew. */
const answerWithin = 15_000;

/** What differs between the kinds of maps. */
export interface Protocol {
  /** Asks for the root. */
  begin(): void;
  /** Asks for the children of a node, or the records of a leaf. */
  ask(path: string): void;
  /** A node has children here that the server does not list; returns whether that led to anything. */
  mine(path: string): boolean;
  /** Replica and server were found equal at this time of the server. */
  agreed(at: Timestamp): void;
}

/**
 * The comparison of a replica with the server's map: it asks for the root; while that differs, it walks down to the
 * leaves that differ, takes them in, and asks again.
 */
export class Comparison {
  readonly #p: Parts;
  readonly #replica: AnyReplica;
  readonly #protocol: Protocol;
  #phase: 'quiet' | 'asked' | 'walking' = 'quiet';
  /** Wanted once more, when this round has ended. */
  #again = false;
  /** Whether this round has led to anything. */
  #progress = false;
  /** Whether the replica was emptied for this round, so that the walk brings everything. */
  #full = false;
  #rounds = 0;
  #open = new Set<string>();
  #todo: string[] = [];
  #root: Timestamp | undefined;
  #stopTimer: (() => void) | undefined;
  #waiting: { round: number; resolve: () => void }[] = [];
  #started = 0;
  #settled = false;

  constructor(parts: Parts, replica: AnyReplica, protocol: Protocol) {
    this.#p = parts;
    this.#replica = replica;
    this.#protocol = protocol;
  }

  /** Whether nothing is known that is missing here. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Begins a round, or asks for one after the present one. Without a connection the next one begins with it. */
  start(): void {
    if (!this.#p.link.connected || !this.#replica.loaded) return;
    if (this.#phase !== 'quiet') {
      this.#again = true;
      return;
    }
    this.#phase = 'asked';
    this.#progress = this.#again = false;
    this.#started++;
    this.#watch(answerWithin, () => this.restart());
    this.#protocol.begin();
  }

  /** Begins anew, whatever was going on. */
  restart(): void {
    this.#phase = 'quiet';
    this.#open.clear();
    this.#todo = [];
    this.start();
  }

  attached(): void {
    this.#rounds = 0;
    this.restart();
  }

  detached(): void {
    this.#stopTimer?.();
    this.#phase = 'quiet';
    this.#settle(false);
  }

  /** Resolves when a round that begins after the call has found nothing that is missing here. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ round: this.#started + 1, resolve });
      this.start();
    });
  }

  /** Takes the server's root, asked for or not; full if the replica was emptied because of it. */
  root(hash: number, at: Timestamp, full = false): void {
    if (this.#phase === 'walking') return;
    this.#root = at;
    this.#full = full;
    if (hash === this.#replica.tree.root() && !full) return this.#end(true);
    this.#phase = 'walking';
    this.#ask('');
  }

  /** Takes the hashes of a node's children. */
  buckets(path: string, theirs: messages.Buckets): void {
    if (!this.#answered(path)) return;
    const ours = this.#replica.tree.children(path);
    for (const [digit, h] of Object.entries(theirs)) if ((ours.get(digit) ?? 0) !== h) this.#ask(path + digit);
    for (const [digit, h] of ours) if (!(digit in theirs) && h) this.#progress = this.#protocol.mine(path + digit) || this.#progress;
    this.#next();
  }

  /** Takes a leaf; take says whether it led to anything. */
  leaf(path: string, take: () => boolean): void {
    if (!this.#answered(path)) return;
    this.#progress = take() || this.#progress;
    this.#next();
  }

  #ask(path: string): void {
    if (this.#open.size >= openQuestions) {
      this.#todo.push(path);
      return;
    }
    this.#open.add(path);
    this.#protocol.ask(path);
  }

  #answered(path: string): boolean {
    if (this.#phase !== 'walking' || !this.#open.delete(path)) return false;
    this.#watch(answerWithin, () => this.restart());
    return true;
  }

  /** Goes on with the round. A walk that led to nothing has shown that what differs is not missing here. */
  #next(): void {
    while (this.#todo.length && this.#open.size < openQuestions) this.#ask(this.#todo.pop()!);
    if (this.#open.size) return;
    const writing = [...this.#p.log.keys(this.#replica.name)].length > 0;
    this.#end(this.#full || (!this.#progress && !writing));
  }

  #end(settled: boolean): void {
    this.#phase = 'quiet';
    this.#stopTimer?.();
    if (settled) {
      this.#rounds = 0;
      this.#protocol.agreed(this.#root!);
      this.#settle(true);
      if (this.#again) this.start();
    } else if (++this.#rounds <= eagerRounds) {
      this.start();
    } else {
      this.#watch(Math.min(lastRetry, firstRetry * 2 ** (this.#rounds - eagerRounds)), () => this.start());
    }
  }

  #settle(settled: boolean): void {
    if (settled) {
      const done = this.#waiting.filter((w) => w.round <= this.#started);
      this.#waiting = this.#waiting.filter((w) => w.round > this.#started);
      for (const w of done) w.resolve();
    }
    if (settled === this.#settled) return;
    this.#settled = settled;
    this.#p.events.changed();
  }

  /** The one timer: of the answer that is awaited, or of the next round. */
  #watch(ms: number, callback: () => void): void {
    this.#stopTimer?.();
    this.#stopTimer = this.#p.env.timer(callback, ms);
  }
}
