import { compareText } from './text.js';

/** A point of hybrid time: what a record carries on the wire and what decides which of two records stays. */
export interface Timestamp {
  /** Milliseconds since the Unix epoch; an integer within ±2⁵³. */
  readonly millis: number;
  /** Orders what happened within the millisecond: 0 … 2³²−1. */
  readonly counter: number;
  /** Who issued it; has no ':' in it. */
  readonly nodeId: string;
}

/** How far, in milliseconds, a timestamp may be ahead of the wall clock and still be believed. */
export const maxDrift = 60_000;

const lastCounter = 0xffff_ffff;

/**
 * Orders by millis, then counter, then node in the byte order of its UTF-8 form: negative when a is older, 0 for the
 * same write, positive when a is newer.
 */
export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  return a.millis - b.millis || a.counter - b.counter || compareText(a.nodeId, b.nodeId);
}

/** The text form `millis:counter:nodeId`: the tag of OR-map records and part of entry hashes. */
export function formatTimestamp(t: Timestamp): string {
  return `${t.millis}:${t.counter}:${t.nodeId}`;
}

/** Reads the text form; undefined for what is none, and for numbers beyond those of a Timestamp. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const m = /^(\d+):(\d+):([^:]*)$/s.exec(text);
  if (!m) return undefined;
  const t = { millis: Number(m[1]), counter: Number(m[2]), nodeId: m[3]! };
  return isTimestamp(t) ? t : undefined;
}

/** Whether a value from outside is a timestamp. */
export function isTimestamp(v: unknown): v is Timestamp {
  const t = v as Timestamp | null | undefined;
  return Number.isInteger(t?.millis) && Math.abs(t!.millis) <= 2 ** 53 && t!.counter >>> 0 === t!.counter && typeof t!.nodeId === 'string';
}

/**
 * Issues the timestamps of one node and learns from those of others.
 *
 * What `now` returns is greater than everything the clock returned or accepted before, whatever the wall clock does.
 */
export class Clock {
  #millis = 0;
  #counter = 0;

  /**
   * @param nodeId who signs; without ':'
   * @param wall the wall clock in milliseconds; it may stand still or go back
   */
  constructor(
    readonly nodeId: string,
    private readonly wall: () => number,
  ) {
    if (nodeId.includes(':')) throw new RangeError(`node id "${nodeId}": leave out the ':'`);
  }

  /** A timestamp for something that happens now. */
  now(): Timestamp {
    const sys = Math.floor(this.wall());
    if (sys > this.#millis) {
      this.#millis = sys;
      this.#counter = 0;
    } else {
      this.#tick(this.#counter);
    }
    return this.last();
  }

  /**
   * Moves the clock past a received timestamp. A timestamp more than `maxDrift` ahead of the wall clock is not
   * believed: the clock stays as it was and the result is false.
   */
  update(remote: Timestamp): boolean {
    const sys = Math.floor(this.wall());
    if (remote.millis - sys > maxDrift) return false;
    const local = this.#millis;
    const m = Math.max(local, sys, remote.millis);
    this.#millis = m;
    if (m === local) this.#tick(m === remote.millis ? Math.max(this.#counter, remote.counter) : this.#counter);
    else if (m === remote.millis) this.#tick(remote.counter);
    else this.#counter = 0;
    return true;
  }

  /** Moves the clock to at least a timestamp of this node's own past, read back after a restart; without drift check. */
  resume(t: Timestamp): void {
    if ((t.millis - this.#millis || t.counter - this.#counter) > 0) {
      this.#millis = t.millis;
      this.#counter = t.counter;
    }
  }

  /** Where the clock stands; changes nothing. */
  last(): Timestamp {
    return { millis: this.#millis, counter: this.#counter, nodeId: this.nodeId };
  }

  /** Sets the counter to one after n; past the last one the clock moves to the next millisecond. */
  #tick(n: number): void {
    if (n < lastCounter) {
      this.#counter = n + 1;
    } else {
      this.#millis++;
      this.#counter = 0;
    }
  }
}
