import { decode, encode, isTimestamp, type Timestamp } from '@topgun/core';
import type { Channel, Environment } from './environment.js';
import { readOps, type Op } from './oplog.js';

export interface TabEvents {
  /** Takes over the operations that a client which is gone has left, by their ids; resolves when they are stored. */
  adopt(namespace: string, left: readonly (readonly [number, Op])[]): Promise<unknown>;
  /** Another client of the storage has something to say. */
  message(message: unknown): void;
  error(err: unknown): void;
}

/**
 * The clients that share a storage: the tabs of an origin. Each has a namespace of its own for its operations, and a lock
 * on it for as long as it lives. Namespaces whose lock is free belong to clients that are gone: the first client that
 * gets the lock, when it starts or at the moment at which the other one goes, takes over what is left.
 */
export class Tabs {
  readonly #env: Environment;
  readonly #name: string;
  readonly #events: TabEvents;
  readonly #abort = new AbortController();
  readonly #watched = new Set<string>();
  #channel: Channel | undefined;
  #namespace = '';

  constructor(env: Environment, name: string, events: TabEvents) {
    this.#env = env;
    this.#name = name;
    this.#events = events;
  }

  /** Finds a namespace. Returns it and the greatest timestamp that any client of the storage knew. */
  async start(): Promise<{ namespace: string; newest: Timestamp | undefined; opened: () => void }> {
    const { storage, locks } = this.#env;
    const found = await storage.list(['n'], 10_000);
    const others: string[] = [];
    let newest: Timestamp | undefined;
    for (const [key, bytes] of found) {
      const namespace = key[1] as string;
      const [millis, counter] = decode(bytes) as [number, number];
      const t = { millis, counter, nodeId: '' };
      if (isTimestamp(t) && (!newest || (t.millis - newest.millis || t.counter - newest.counter) > 0)) newest = t;
      if (!this.#namespace && locks && (await this.#lock(namespace, false))) this.#namespace = namespace;
      else others.push(namespace);
    }
    if (!this.#namespace) {
      this.#namespace = this.#env.id();
      await this.#lock(this.#namespace, false);
    }
    if (storage.durable) {
      this.#channel = this.#env.channel?.(`topgun:${this.#name}`, (m) => this.#receive(m));
      this.tell({ hello: this.#namespace });
    }
    // Others are for when the log of this one is open, so that there is a place for what they have left.
    const opened = (): void => others.forEach((namespace) => void this.#adopt(namespace));
    return { namespace: this.#namespace, newest, opened };
  }

  /** Reaches the other clients. */
  tell(message: unknown): void {
    try {
      this.#channel?.send(message);
    } catch (err) {
      this.#events.error(err);
    }
  }

  close(): void {
    this.#abort.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  #receive(message: unknown): void {
    const { hello } = message as { hello?: string };
    if (!hello) this.#events.message(message);
    else if (this.#env.locks && !this.#watched.has(hello)) {
      // It may have missed what this one said when it began.
      this.tell({ hello: this.#namespace });
      void this.#adopt(hello);
    }
  }

  /** Takes the lock of a namespace; undefined when another client has it. It is held until this one is closed. */
  async #lock(namespace: string, wait: boolean): Promise<(() => void) | undefined> {
    const release = await this.#env.locks?.acquire(`topgun:${this.#name}:${namespace}`, wait, this.#abort.signal);
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
      const left = await readOps(this.#env, ['q', namespace]);
      if (this.#abort.signal.aborted) return;
      await this.#events.adopt(namespace, left);
      release?.();
    } catch (err) {
      if (!this.#abort.signal.aborted) this.#events.error(err);
    } finally {
      this.#watched.delete(namespace);
    }
  }
}

/** What a client stores of its clock below its namespace. */
export function packClock(t: Timestamp): Uint8Array {
  return encode([t.millis, t.counter]);
}
