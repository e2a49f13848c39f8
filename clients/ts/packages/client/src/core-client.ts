import { Clock, compareTimestamps, decode, encode, isTimestamp, type ServerMessage, type Timestamp } from '@topgun/core';
import { platform } from './browser.js';
import { Delivery } from './delivery.js';
import { Disk } from './disk.js';
import type { Environment, Storage } from './environment.js';
import { messageOf, TopGunError } from './errors.js';
import type { Events, Feature, Parts } from './feature.js';
import { Flusher } from './flush.js';
import { IndexedDBStorage } from './indexeddb.js';
import { Link, type Connection, type TokenProvider } from './link.js';
import { MapHandle } from './map.js';
import { MemoryStorage } from './memory.js';
import { OpLog, type Op } from './oplog.js';
import { Replicas, type AnyReplica } from './replicas.js';
import { lww } from './state.js';
import { Syncs } from './syncs.js';
import { packClock, Tabs } from './tabs.js';

export interface TopGunClientOptions {
  /** Where the server is, `wss://host/ws`; without it everything stays here. */
  readonly serverUrl?: string;
  /** A token, or what gives one whenever a connection is made. */
  readonly token?: string | TokenProvider;
  /** Where replica and op log are kept: 'indexeddb' where there is one, else 'memory', or a storage of your own. */
  readonly storage?: 'indexeddb' | 'memory' | Storage;
  /** The name of the database; clients of one origin and one name share what is in it. One for each user. */
  readonly database?: string;
  /** The first pause before another attempt to connect, and the longest, in milliseconds: 1000 and 30 000. */
  readonly backoff?: { readonly firstMs?: number; readonly greatestMs?: number };
  readonly limits?: {
    /** How many writes may wait for the server: 100 000. */
    readonly writes?: number;
    /** How many bytes they may have in total: 64 MiB. */
    readonly writeBytes?: number;
    /** How many messages to topics may wait for a connection: 100; only of a TopGunClient. */
    readonly publications?: number;
  };
  /** What stands for parts of the world, in tests. */
  readonly environment?: Partial<Environment>;
}

/** How the client is, to be shown. */
export interface Status {
  readonly connection: Connection;
  /** When the next attempt to connect is, in milliseconds since 1970; only when one is planned. */
  readonly retryAt?: number | undefined;
  /** How many writes the server has not yet answered, counters with such counts included. */
  readonly pending: number;
  /** How many maps may lack something that the server has. */
  readonly syncing: number;
  /** Whether what is written survives the end of the page: false in memory, and when storing fails. */
  readonly durable: boolean;
  /** The last error; it stays when all is well again. */
  readonly lastError?: TopGunError | undefined;
}

/**
 * The maps of TopGun. It works from the first moment, connected or not: maps can be read and written, what is written is
 * stored here and sent when there is a connection, and clients of one origin that name the same database see each
 * other's changes at once. TopGunClient has everything else too; this one is smaller.
 */
export class CoreClient {
  /** @internal */
  protected readonly parts: Parts;
  readonly #p: Parts;
  readonly #delivery: Delivery;
  readonly #features: Feature[] = [];
  readonly #handles = new Map<AnyReplica, MapHandle>();
  readonly #onStatus = new Set<(status: Status) => void>();
  readonly #onRefused = new Set<(error: TopGunError) => void>();
  readonly #onError = new Set<(error: TopGunError) => void>();
  readonly #ready: Promise<void>;
  #namespace = '';
  #lastError: TopGunError | undefined;
  #closed = false;
  #durable: boolean;
  readonly #tellStatus = (): void => {
    const { status } = this;
    for (const callback of this.#onStatus) this.#p.flusher.call(() => callback(status));
  };

  constructor(options: TopGunClientOptions = {}) {
    const { database = 'topgun', limits, backoff, token, serverUrl } = options;
    const env = { ...platform(storageOf(options, database)), ...options.environment };
    const p = { env, events: this.#events(), admit: (n, bytes) => this.#admit(n, bytes), write: (ops) => this.#write(ops) } as { -readonly [P in keyof Parts]: Parts[P] };
    p.clock = new Clock(env.id(), env.now);
    p.flusher = new Flusher(p);
    p.disk = new Disk(p);
    p.log = new OpLog(p, { writes: limits?.writes ?? 100_000, writeBytes: limits?.writeBytes ?? 64 << 20 });
    p.replicas = new Replicas(p);
    p.link = new Link(p, { url: serverUrl, firstMs: backoff?.firstMs ?? 1000, greatestMs: backoff?.greatestMs ?? 30_000 });
    p.syncs = new Syncs(p);
    p.tabs = new Tabs(p, database);
    this.#p = this.parts = p;
    this.#delivery = new Delivery(p);
    this.#durable = env.storage.durable;
    if (token !== undefined) p.link.setToken(token);
    this.#ready = this.#start();
  }

  /** Resolves when what is stored can be read. The client works before that, and connects by itself. */
  start(): Promise<void> {
    return this.#ready;
  }

  /** A map in which the latest write to a key wins. The client fetches it and keeps it up to date. */
  getMap<V = unknown>(name: string): MapHandle<V>;
  getMap<_K extends string, V>(name: string): MapHandle<V>;
  getMap<V>(name: string): MapHandle<V> {
    this.open();
    const r = this.#p.replicas.get(lww, name);
    const any = r as AnyReplica;
    let handle = this.#handles.get(any);
    if (!handle) {
      this.#handles.set(any, (handle = new MapHandle(this.#p, r)));
      this.#p.syncs.follow(any);
      this.#moved(any);
      this.#changed();
    }
    return handle as MapHandle<V>;
  }

  /** Takes another token, and connects with it if one was missing. */
  setAuthToken(token: string): void {
    this.#p.link.setToken(token);
  }

  /** Takes what gives a token whenever a connection is made. */
  setAuthTokenProvider(provider: TokenProvider): void {
    this.#p.link.setToken(provider);
  }

  get status(): Status {
    const { link, log, syncs, disk } = this.#p;
    return {
      connection: link.state,
      retryAt: link.retryAt,
      pending: this.#features.reduce((n, f) => n + (f.waiting ?? 0), log.size),
      syncing: syncs.unsettled,
      durable: this.#durable && !disk.failing,
      lastError: this.#lastError,
    };
  }

  /** Calls back with the status now and whenever it has changed. */
  onStatus(callback: (status: Status) => void): () => void {
    this.#p.flusher.call(() => callback(this.status));
    return listen(this.#onStatus, callback);
  }

  /** Calls back with each write that the server has refused, also one of an earlier page or of a tab that is gone. */
  onRefused(callback: (error: TopGunError) => void): () => void {
    return listen(this.#onRefused, callback);
  }

  /** Calls back with everything that goes wrong and belongs to no call, refused writes included. */
  onError(callback: (error: TopGunError) => void): () => void {
    return listen(this.#onError, callback);
  }

  /** Resolves when everything written before the call is stored here; false if it cannot be. */
  stored(): Promise<boolean> {
    return this.#ready.then(() => this.#p.disk.settled());
  }

  /** Ends the client when what was written is stored. What the server has not answered is sent by the next one. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { link, tabs, disk, env, log } = this.#p;
    link.close();
    await this.stored();
    tabs.close();
    disk.close();
    env.storage.close();
    const error = new TopGunError('CLOSED', 'the client is closed');
    for (const op of log.ops) op.write?.abandon(error);
  }

  /** @internal Adds something that the client can do; before start has begun, which is after the constructors. */
  protected use<F extends Feature>(feature: F): F {
    this.#features.push(feature);
    return feature;
  }

  /** @internal */
  protected open(): void {
    if (this.#closed) throw new TopGunError('CLOSED', 'the client is closed');
  }

  async #start(): Promise<void> {
    const { env, tabs, log, clock, disk, replicas, link } = this.#p;
    try {
      await env.storage.open();
    } catch (err) {
      this.#report(new TopGunError('STORAGE', `cannot open the storage: ${messageOf(err)}`));
      this.#durable = false;
      (env as { storage: Storage }).storage = new MemoryStorage();
    }
    try {
      const { namespace, newest, opened } = await tabs.start();
      if (newest) clock.resume(newest);
      this.#namespace = namespace;
      await log.open(namespace, (early) => this.#restamp(early, newest));
      this.#storing();
      disk.start();
      const meta = new Map((await env.storage.list(['m'], 10)).map(([key, bytes]) => [key[1], decode(bytes)]));
      for (const f of this.#features) f.start?.(namespace, meta);
      replicas.start();
      link.start(String(meta.get('device') ?? ''));
      opened();
    } catch (err) {
      this.#report(new TopGunError('STORAGE', `cannot read the storage: ${messageOf(err)}`));
    }
    this.#changed();
  }

  #events(): Events {
    const tell =
      (what: 'attached' | 'detached') =>
      (): void => {
        this.#delivery[what]();
        for (const f of this.#features) f[what]?.();
        this.#p.syncs[what]();
      };
    return {
      changed: () => this.#changed(),
      report: (err) => this.#report(err),
      attached: tell('attached'),
      detached: tell('detached'),
      message: (m) => this.#receive(m),
      device: (token) => this.#p.disk.set(['m', 'device'], encode(token)),
      storing: () => this.#storing(),
      loaded: (r) => {
        this.#p.syncs.of(r)?.start();
        this.#moved(r);
      },
      moved: (r) => this.#moved(r),
      acknowledged: (op) => {
        this.#answered(op);
        // The timestamp may have been that of somebody else's equal write.
        if (op.restamped) this.#p.syncs.again(op.map);
      },
      refused: (op, err) => this.#refused(op, err),
      adopt: (namespace, left) => this.#adopt(namespace, left),
      told: (m) => {
        if (m['map'] === undefined) for (const f of this.#features) f.told?.(m);
        else if (this.#p.replicas.told(m as { map: string; kind: string; changes: Uint8Array })) this.#p.syncs.again(m['map'] as string);
      },
    };
  }

  /**
   * Gives what was written before the clock was known its place in the log; what is not newer than all that is known here
   * gets another timestamp first, so that it prevails. Nobody else has seen it.
   */
  #restamp(early: readonly Op[], newest: Timestamp | undefined): void {
    const behind = newest && early.some((op) => op.timestamp && compareTimestamps(op.timestamp, newest) <= 0);
    const tags = new Map<string, string>();
    for (const op of early) {
      if (behind) this.#p.replicas.restamp(op, tags);
      this.#p.log.add(op);
    }
    this.#delivery.added(early);
  }

  /** Takes over what a client that is gone has left. */
  async #adopt(namespace: string, left: readonly (readonly [number, Op | undefined])[]): Promise<boolean> {
    // What comes before the log is open would count as written here.
    await this.#ready;
    const { log, replicas, disk } = this.#p;
    const ops = left.flatMap(([, op]) => op ?? []);
    for (const op of ops) {
      op.stored = false;
      log.add(op);
      replicas.restore(op);
    }
    // After the others, in the order in which things are stored: twice is harmless, not at all is not.
    for (const [id, op] of left) if (op) disk.set(['q', namespace, id], null);
    // What this client does not know how to send is left for one that does.
    if (ops.length === left.length) disk.set(['n', namespace], null);
    this.#delivery.added(ops);
    // Until then the namespace is nobody else's: what is deleted there would be theirs.
    return disk.settled(true);
  }

  #admit(operations: number, bytes: number): void {
    this.open();
    this.#p.log.admit(operations, bytes);
  }

  #write(ops: readonly Op[]): void {
    for (const op of ops) this.#p.replicas.write(op);
    if (this.#p.log.isOpen) this.#delivery.added(ops);
    this.#changed();
  }

  #refused(op: Op, error: TopGunError): void {
    this.#p.replicas.undo(op);
    this.#answered(op);
    // Something may have lost against it here that nobody will send again.
    this.#p.syncs.again(op.map);
    for (const callback of this.#onRefused) this.#p.flusher.call(() => callback(error));
    this.#report(error);
  }

  /** Stores the clock with whatever is stored, so that the next client begins behind it. */
  #storing(): void {
    if (this.#namespace) this.#p.disk.set(['n', this.#namespace], () => packClock(this.#p.clock.last()));
  }

  #receive(m: ServerMessage): void {
    try {
      if ('timestamp' in m && isTimestamp(m.timestamp)) this.#p.clock.resume(m.timestamp);
      this.#dispatch(m);
    } catch (err) {
      this.#report(new TopGunError('SERVER', `${m.type} is left out: ${messageOf(err)}`));
    }
  }

  #dispatch(m: ServerMessage): void {
    switch (m.type) {
      case 'OP_ACK':
        return this.#delivery.acknowledge(m.payload);
      case 'OP_REJECTED':
        return this.#delivery.reject(m.payload);
      case 'ERROR': {
        const { code, message } = m.payload;
        const error = new TopGunError('SERVER', message, { number: code, text: message });
        // The server may have dropped what it had no room for: a new connection says it again.
        if (code === 429) this.#p.link.giveUp(error);
        else this.#report(error);
        return;
      }
      default:
        for (const f of this.#features) f.receive?.(m);
        this.#p.syncs.receive(m);
    }
  }

  #answered({ map, key }: Op): void {
    for (const f of this.#features) f.answered?.(map, key);
  }

  #moved(r: AnyReplica): void {
    for (const f of this.#features) f.moved?.(r);
  }

  #changed(): void {
    if (this.#onStatus.size) this.#p.flusher.add(this.#tellStatus, false);
  }

  #report(err: unknown): void {
    const error = err instanceof TopGunError ? err : new TopGunError('CALLBACK', messageOf(err), undefined, undefined, { cause: err });
    this.#lastError = error;
    this.#changed();
    if (error.code === 'CALLBACK' && !this.#onError.size) console.error(err);
    for (const callback of this.#onError) {
      try {
        callback(error);
      } catch (thrown) {
        console.error(thrown);
      }
    }
  }
}

function listen<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function storageOf({ storage, environment }: TopGunClientOptions, database: string): Storage {
  if (environment?.storage) return environment.storage;
  if (typeof storage === 'object') return storage;
  const indexed = storage === 'indexeddb' || (storage === undefined && typeof indexedDB !== 'undefined');
  return indexed ? new IndexedDBStorage(database) : new MemoryStorage();
}
