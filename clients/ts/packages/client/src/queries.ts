import type { messages, ServerMessage } from '@topgun/core';
import { TopGunError } from './errors.js';
import type { Feature, Parts } from './feature.js';
import { itemOf, LiveQuery, queryOf, question, type QueryFilter, type QueryResultItem } from './query.js';
import type { AnyReplica } from './replicas.js';
import { lww } from './state.js';

/** A page of the server's result. */
export interface QueryOncePagedResult<T> {
  readonly items: QueryResultItem<T>[];
  readonly cursor?: string;
  readonly hasMore: boolean;
}

/** The queries of a client: those that are live, and those that are asked once. */
export class Queries implements Feature {
  readonly #p: Parts;
  readonly #live = new Map<string, LiveQuery>();
  readonly #once = new Map<string, (m: messages.QueryResp['payload']) => void>();

  constructor(parts: Parts) {
    this.#p = parts;
  }

  make(map: string, filter: QueryFilter): LiveQuery {
    return new LiveQuery(this.#p, this.#live, this.#p.replicas.get(lww, map), filter);
  }

  attached(): void {
    for (const q of this.#live.values()) q.ask();
  }

  detached(): void {
    for (const q of this.#live.values()) q.detached();
  }

  moved(r: AnyReplica): void {
    for (const q of this.#live.values()) if ((q.replica as AnyReplica) === r) q.moved();
  }

  answered(map: string, key: string): void {
    for (const q of this.#live.values()) if (q.replica.name === map) q.echo(key);
  }

  receive(m: ServerMessage): void {
    if (m.type === 'QUERY_UPDATE') this.#live.get(m.payload.queryId)?.updated(m.payload);
    if (m.type !== 'QUERY_RESP') return;
    this.#live.get(m.payload.queryId)?.answered(m.payload);
    this.#once.get(m.payload.queryId)?.(m.payload);
  }

  /** Asks the server once. */
  once<T>(mapName: string, filter: QueryFilter, timeoutMs: number): Promise<QueryOncePagedResult<T>> {
    const { env, link } = this.#p;
    return new Promise((resolve, reject) => {
      if (!link.connected) return reject(new TopGunError('OFFLINE', 'queryOnce asks the server, and there is no connection'));
      const queryId = env.id();
      const end = (): void => {
        stop();
        this.#once.delete(queryId);
        link.send({ type: 'QUERY_UNSUB', payload: { queryId } });
      };
      const stop = env.timer(() => {
        end();
        reject(new TopGunError('TIMEOUT', `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#once.set(queryId, (m) => {
        end();
        const text = m.error ?? m.code;
        if (text !== undefined) return reject(new TopGunError('INVALID_QUERY', text, { name: m.code, text }));
        const items = m.results.map((r) => itemOf(r) as QueryResultItem<T>);
        resolve({ items, hasMore: m.hasMore ?? false, ...(m.nextCursor !== undefined && { cursor: m.nextCursor }) });
      });
      link.send({ type: 'QUERY_SUB', payload: { queryId, mapName, ...question(queryOf(filter)) } });
    });
  }
}
