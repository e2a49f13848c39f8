import type { messages, ServerMessage } from '@topgun/core';
import { TopGunError } from './errors.js';
import type { Feature, Parts } from './feature.js';
import { copyOf } from './handle.js';

/** What there is about a message beside its content. */
export interface TopicContext {
  /** When the server got it, in milliseconds since 1970. */
  readonly timestamp: number;
  /** Who published it, if the server says so. */
  readonly publisherId?: string;
}

export type TopicCallback<T> = (data: T, context: TopicContext) => void;

/** What counters and topics may be called. */
export function checkName(name: string): void {
  if (!/^[A-Za-z0-9_.:/-]{1,256}$/.test(name)) throw new TopGunError('INVALID_NAME', `"${name}" is no name: use 1 to 256 of A-Z a-z 0-9 _ . : / -`);
}

/** Messages to whoever listens now: at most once, nothing is stored. One's own messages do not come back. */
export class TopicHandle<T = unknown> {
  readonly #topics: Topics;

  /** @internal */
  constructor(
    topics: Topics,
    readonly id: string,
  ) {
    this.#topics = topics;
  }

  /** Sends a message; without a connection it waits for the next one. Throws QUEUE_FULL when too many wait. */
  publish(data: T): void {
    this.#topics.publish(this.id, copyOf(data)[0] as messages.TopicPub['payload']['data']);
  }

  /** Calls back with each message from now on; the result ends it. */
  subscribe(callback: TopicCallback<T>): () => void {
    return this.#topics.subscribe(this.id, callback as TopicCallback<unknown>);
  }
}

/** All topics of a client. */
export class Topics implements Feature {
  readonly #p: Parts;
  readonly #limit: number;
  readonly #callbacks = new Map<string, Set<TopicCallback<unknown>>>();
  readonly #waiting: messages.TopicPub[] = [];

  constructor(parts: Parts, limit: number) {
    this.#p = parts;
    this.#limit = limit;
  }

  publish(topic: string, data: messages.TopicPub['payload']['data']): void {
    const message: messages.TopicPub = { type: 'TOPIC_PUB', payload: { topic, data } };
    if (this.#p.link.connected) return this.#p.link.send(message);
    if (this.#waiting.length >= this.#limit) throw new TopGunError('QUEUE_FULL', `${this.#limit} publications wait for a connection`);
    this.#waiting.push(message);
  }

  subscribe(topic: string, callback: TopicCallback<unknown>): () => void {
    let callbacks = this.#callbacks.get(topic);
    if (!callbacks) {
      this.#callbacks.set(topic, (callbacks = new Set()));
      this.#p.link.send({ type: 'TOPIC_SUB', payload: { topic } });
    }
    callbacks.add(callback);
    return () => {
      if (!callbacks.delete(callback) || callbacks.size || this.#callbacks.get(topic) !== callbacks) return;
      this.#callbacks.delete(topic);
      this.#p.link.send({ type: 'TOPIC_UNSUB', payload: { topic } });
    };
  }

  attached(): void {
    for (const topic of this.#callbacks.keys()) this.#p.link.send({ type: 'TOPIC_SUB', payload: { topic } });
    for (const message of this.#waiting.splice(0)) this.#p.link.send(message);
  }

  receive(m: ServerMessage): void {
    if (m.type !== 'TOPIC_MESSAGE') return;
    const { topic, data, publisherId, timestamp } = m.payload;
    const context: TopicContext = publisherId === undefined ? { timestamp } : { timestamp, publisherId };
    for (const callback of this.#callbacks.get(topic) ?? []) this.#p.flusher.call(() => callback(data, context));
  }
}
