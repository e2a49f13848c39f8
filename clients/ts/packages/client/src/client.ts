import { CoreClient, type TopGunClientOptions } from './core-client.js';
import { CounterHandle, Counters } from './counter.js';
import type { ORMapHandle } from './ormap.js';
import { ORMaps } from './ormaps.js';
import { Queries, type QueryOncePagedResult } from './queries.js';
import { QueryHandle, type QueryFilter, type QueryResultItem, type Selection } from './query.js';
import { Restores } from './restores.js';
import { checkName, TopicHandle, Topics } from './topic.js';

type Fields = Record<string, unknown>;

/** A client of TopGun: maps of both kinds and counters that work offline, live queries, topics. */
export class TopGunClient extends CoreClient {
  readonly #sets: ORMaps;
  readonly #queries: Queries;
  readonly #topics: Topics;
  readonly #counters: Counters;

  constructor(options: TopGunClientOptions = {}) {
    super(options);
    this.#sets = this.use(new ORMaps(this.parts));
    this.#queries = this.use(new Queries(this.parts));
    this.#topics = this.use(new Topics(this.parts, options.limits?.publications ?? 100));
    this.#counters = this.use(new Counters(this.parts));
    this.use(new Restores(this.parts));
  }

  /** A map whose keys hold sets of values. The client fetches it and keeps it up to date. */
  getORMap<V = unknown>(name: string): ORMapHandle<V>;
  getORMap<_K extends string, V>(name: string): ORMapHandle<V>;
  getORMap<V>(name: string): ORMapHandle<V> {
    this.open();
    return this.#sets.open(name) as ORMapHandle<V>;
  }

  /**
   * A live query over a map. It does not fetch the map: the server answers, unless the map is here as a whole because
   * getMap fetches it. Throws INVALID_QUERY.
   */
  query<T = Fields>(mapName: string, selection: Selection<T> = {}): QueryHandle<T> {
    this.open();
    return new QueryHandle<T>(this.parts, this.#queries.make(mapName, selection as QueryFilter));
  }

  /** What the server answers now. Rejects with OFFLINE, TIMEOUT (after 5 s) or INVALID_QUERY. */
  async queryOnce<T = Fields>(mapName: string, selection: Selection<T> = {}, options: { timeoutMs?: number } = {}): Promise<QueryResultItem<T>[]> {
    return (await this.queryOncePaged<T>(mapName, selection, options)).items;
  }

  /** queryOnce with the cursor that continues behind the page. */
  queryOncePaged<T = Fields>(mapName: string, selection: Selection<T> = {}, options: { timeoutMs?: number } = {}): Promise<QueryOncePagedResult<T>> {
    return this.#queries.once<T>(mapName, selection as QueryFilter, options.timeoutMs ?? 5000);
  }

  override async stored(): Promise<boolean> {
    await this.start();
    await this.#counters.ready();
    return super.stored();
  }

  /** Messages to whoever listens now. */
  topic<T = unknown>(name: string): TopicHandle<T> {
    checkName(name);
    return new TopicHandle<T>(this.#topics, name);
  }

  /** A counter that any number of clients count up and down. */
  getPNCounter(name: string): CounterHandle {
    checkName(name);
    return new CounterHandle(this.#counters.open(name));
  }
}
