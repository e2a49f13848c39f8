import { compareTimestamps, decode, encode, type Timestamp } from '@topgun/core';
import type { Channel } from './environment.js';
import type { Parts } from './feature.js';

/**
 * The clients that share a storage: the tabs of an origin. Each has a namespace of its own for its operations, and a lock
 * on it for as long as it lives. Namespaces whose lock is free belong to clients that are gone: the first client that
 * gets the lock, when it starts or at the moment at which the other one goes, takes over what is left.
 */
export class Tabs {
  readonly #p: Parts;
  readonly #name: string;
  readonly #abort = new AbortController();
  readonly #watched = new Set<string>();
  #channel: Channel | undefined;
  #namespace = '';

  constructor(parts: Parts, name: string) {
    this.#p = parts;
    this.#name = name;
  }

  /** Finds a namespace. Returns it and the greatest timestamp that any client of the storage knew. */
  async start(): Promise<{ namespace: string; newest: Timestamp | undefined; opened: () => void }> {
    const { storage, locks, id, channel } = this.#p.env;
    const all = () => storage.list(['n'], 10_000);
    for (const [key] of await all()) {
      if (!this.#namespace && locks && (await this.#lock(key[1] as string, false))) this.#namespace = key[1] as string;
    }
    if (!this.#namespace) {
      this.#namespace = id();
      await this.#lock(this.#namespace, false);
      // Of two clients that begin together at least one finds the other: it is stored, and told, before it is looked for.
      // If it cannot be stored, nothing else can either, and that is said then.
      await storage.update([], () => [[['n', this.#namespace], encode([0, 0])]]).catch(() => 0);
    }
    if (storage.durable) {
      this.#channel = channel?.(`topgun:${this.#name}`, (m) => this.#receive(m));
      this.tell({ hello: this.#namespace });
    }
    const found = await all();
    let newest: Timestamp | undefined;
    for (const [, bytes] of found) {
      const [millis, counter] = decode(bytes) as [number, number];
      const t = { millis, counter, nodeId: '' };
      if (!newest || compareTimestamps(t, newest) > 0) newest = t;
    }
    // Others are for when the log of this one is open, so that there is a place for what they have left.
    return { namespace: this.#namespace, newest, opened: () => found.forEach(([key]) => void this.#adopt(key[1] as string)) };
  }

  /** Reaches the other clients. */
  tell(message: unknown): void {
    try {
      this.#channel?.send(message);
    } catch (err) {
      this.#p.events.report(err);
    }
  }

  close(): void {
    this.#abort.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #receive(message: unknown): void {
    const { hello } = message as { hello?: string };
    if (!hello) this.#p.events.told(message as { readonly [name: string]: unknown });
    else if (this.#p.env.locks && !this.#watched.has(hello)) {
      // It may have missed what this one said when it began.
      this.tell({ hello: this.#namespace });
      void this.#adopt(hello);
    }
  }

  /** Takes the lock of a namespace; undefined when another client has it. It is held until this one is closed. */
  async #lock(namespace: string, wait: boolean): Promise<(() => void) | undefined> {
    const release = await this.#p.env.locks?.acquire(`topgun:${this.#name}:${namespace}`, wait, this.#abort.signal);
    if (release) this.#abort.signal.addEventListener('abort', release);
    return release;
  }

  /** Takes over a namespace as soon as nobody has it. */
  async #adopt(namespace: string): Promise<void> {
    if (namespace === this.#namespace || this.#watched.has(namespace)) return;
    this.#watched.add(namespace);
    try {
      // Without locks nobody knows whether its client lives. Sending what it has written twice changes nothing.
      const release = await this.#lock(namespace, true);
      if (this.#abort.signal.aborted) return;
      const left = await this.#p.log.read(namespace);
      if (this.#abort.signal.aborted) return;
      await this.#p.events.adopt(namespace, left);
      release?.();
    } catch (err) {
      if (!this.#abort.signal.aborted) this.#p.events.report(err);
    } finally {
      this.#watched.delete(namespace);
    }
  }
}

/** What a client stores of its clock below its namespace. */
export function packClock(t: Timestamp): Uint8Array {
  return encode([t.millis, t.counter]);
}
