import { Clock, compareTimestamps, decode, encode, isTimestamp, type ServerMessage, type Timestamp } from '@topgun/core';
import { platform } from './browser.js';
import { Delivery } from './delivery.js';
import { Disk } from './disk.js';
import type { Environment, Storage } from './environment.js';
import { messageOf, TopGunError } from './errors.js';
import type { Feature, Parts } from './feature.js';
import { Flusher } from './flush.js';
import type { MapParts } from './handle.js';
import { IndexedDBStorage } from './indexeddb.js';
import { Link, type Connection, type TokenProvider } from './link.js';
import { MapHandle } from './map.js';
import { MemoryStorage } from './memory.js';
import { OpLog, type LogLimits, type Op } from './oplog.js';
import { ORMapHandle } from './ormap.js';
import type { Replica } from './replica.js';
import { Replicas, type AnyReplica } from './replicas.js';
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
  readonly retryAt?: number;
  /** How many writes the server has not yet answered, counters with such counts included. */
  readonly pending: number;
  /** How many maps may lack something that the server has. */
  readonly syncing: number;
  /** Whether what is written survives the end of the page: false in memory, and when storing fails. */
  readonly durable: boolean;
  /** The last error; it stays when all is well again. */
  readonly lastError?: TopGunError;
}

/**
 * The maps of TopGun. It works from the first moment, connected or not: maps can be read and written, what is written is
 * stored here and sent when there is a connection, and clients of one origin that name the same database see each
 * other's changes at once. TopGunClient has everything else too; this one is smaller.
 */
export class CoreClient {
  /** @internal */
  protected readonly parts: Parts;
  readonly #env: Environment;
  readonly #database: string;
  readonly #clock: Clock;
  readonly #flusher: Flusher;
  readonly #disk: Disk;
  readonly #log: OpLog;
  readonly #replicas: Replicas;
  readonly #link: Link;
  readonly #delivery: Delivery;
  readonly #syncs: Syncs;
  readonly #tabs: Tabs;
  readonly #mapParts: MapParts;
  readonly #features: Feature[] = [];
  readonly #handles = new Map<AnyReplica, MapHandle | ORMapHandle>();
  readonly #onStatus = new Set<(status: Status) => void>();
  readonly #onRefused = new Set<(error: TopGunError) => void>();
  readonly #onError = new Set<(error: TopGunError) => void>();
  readonly #loading = new Map<AnyReplica, (() => void)[]>();
  readonly #ready: Promise<void>;
  #namespace = '';
  #lastError: TopGunError | undefined;
  #closed = false;
  #durable: boolean;
  readonly #tellStatus = (): void => {
    const { status } = this;
    for (const callback of this.#onStatus) this.#flusher.call(() => callback(status));
  };

  constructor(options: TopGunClientOptions = {}) {
    this.#database = options.database ?? 'topgun';
    this.#env = { ...platform(storageOf(options, this.#database)), ...options.environment };
    const env = this.#env;
    this.#durable = env.storage.durable;
    const { limits, backoff } = options;
    const logLimits: LogLimits = { operations: limits?.writes ?? 100_000, bytes: limits?.writeBytes ?? 64 << 20 };
    const changed = (): void => this.#changed();
    const error = (err: unknown): void => this.#report(err);

    this.#clock = new Clock(env.id(), () => env.now());
    this.#flusher = new Flusher(env, error);
    this.#disk = new Disk(env, (err) => this.#report(new TopGunError('STORAGE', `what is written cannot be stored: ${messageOf(err)}`)));
    this.#log = new OpLog(this.#disk, logLimits);
    this.#replicas = new Replicas(env, this.#disk, this.#log, this.#clock, this.#flusher, {
      loaded: (r) => this.#loaded(r),
      storing: () => this.#storing(),
      complete: (r) => this.#moved(r),
      tell: (m) => this.#tabs.tell(m),
      error,
    });
    this.#link = new Link(
      env,
      { url: options.serverUrl, firstDelay: backoff?.firstMs ?? 1000, greatestDelay: backoff?.greatestMs ?? 30_000 },
      {
        changed,
        attached: () => this.#attached(),
        detached: () => this.#detached(),
        message: (m) => this.#receive(m),
        device: (token) => this.#disk.set(['m', 'device'], encode(token)),
        error,
      },
    );
    if (options.token !== undefined) this.#link.setToken(options.token);
    this.#delivery = new Delivery(env, this.#log, this.#disk, this.#link, {
      acknowledged: (op) => {
        this.#answered(op);
        // The timestamp may have been that of somebody else's equal write.
        if (op.restamped) this.#syncs.again(op.doing.map);
      },
      refused: (op, err) => this.#refused(op, err),
      error,
      changed,
    });
    this.parts = {
      env,
      link: this.#link,
      log: this.#log,
      disk: this.#disk,
      replicas: this.#replicas,
      flusher: this.#flusher,
      follows: (r) => this.#syncs.follows(r),
      tell: (m) => this.#tabs.tell(m),
      changed,
    };
    this.#syncs = new Syncs(this.parts, this.#clock);
    this.#tabs = new Tabs(env, this.#database, {
      adopt: (namespace, left) => this.#adopt(namespace, left),
      message: (m) => this.#told(m),
      error,
    });
    this.#mapParts = {
      env,
      replicas: this.#replicas,
      flusher: this.#flusher,
      admit: (n, bytes) => {
        this.open();
        this.#log.admit(n, bytes);
      },
      write: (ops) => this.#write(ops),
      sync: (r) => this.#syncs.follow(r).wait(),
      loaded: (r) => this.#whenLoaded(r),
    };
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
    return this.#handle(this.#replicas.lww(name), (r) => new MapHandle(this.#mapParts, r)) as MapHandle<V>;
  }

  /** A map whose keys hold sets of values. The client fetches it and keeps it up to date. */
  getORMap<V = unknown>(name: string): ORMapHandle<V>;
  getORMap<_K extends string, V>(name: string): ORMapHandle<V>;
  getORMap<V>(name: string): ORMapHandle<V> {
    return this.#handle(this.#replicas.or(name), (r) => new ORMapHandle(this.#mapParts, r)) as ORMapHandle<V>;
  }

  /** Takes another token, and connects with it if one was missing. */
  setAuthToken(token: string): void {
    this.#link.setToken(token);
  }

  /** Takes what gives a token whenever a connection is made. */
  setAuthTokenProvider(provider: TokenProvider): void {
    this.#link.setToken(provider);
  }

  get status(): Status {
    const { retryAt } = this.#link;
    return {
      connection: this.#link.state,
      ...(retryAt !== undefined && { retryAt }),
      pending: this.#features.reduce((n, f) => n + (f.waiting ?? 0), this.#log.size),
      syncing: this.#syncs.unsettled,
      durable: this.#durable && !this.#disk.failing,
      ...(this.#lastError && { lastError: this.#lastError }),
    };
  }

  /** Calls back with the status now and whenever it has changed. */
  onStatus(callback: (status: Status) => void): () => void {
    this.#onStatus.add(callback);
    this.#flusher.call(() => callback(this.status));
    return () => this.#onStatus.delete(callback);
  }

  /** Calls back with each write that the server has refused, also one of an earlier page or of a tab that is gone. */
  onRefused(callback: (error: TopGunError) => void): () => void {
    this.#onRefused.add(callback);
    return () => this.#onRefused.delete(callback);
  }

  /** Calls back with everything that goes wrong and belongs to no call, refused writes included. */
  onError(callback: (error: TopGunError) => void): () => void {
    this.#onError.add(callback);
    return () => this.#onError.delete(callback);
  }

  /** Resolves when everything written before the call is stored here; false if it cannot be. */
  stored(): Promise<boolean> {
    return this.#ready.then(() => this.#disk.settled());
  }

  /** Ends the client when what was written is stored. What the server has not answered is sent by the next one. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#link.close();
    await this.stored();
    this.#tabs.close();
    this.#disk.close();
    this.#env.storage.close();
    const error = new TopGunError('CLOSED', 'the client was closed before the server has answered; what is stored is sent the next time');
    for (const op of this.#log.ops) op.write?.abandon(error);
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
    const { storage } = this.#env;
    try {
      await storage.open();
    } catch (err) {
      this.#report(new TopGunError('STORAGE', `the storage cannot be opened: ${messageOf(err)}`));
      this.#durable = false;
      (this.#env as { storage: Storage }).storage = new MemoryStorage();
    }
    try {
      const { namespace, newest, opened } = await this.#tabs.start();
      if (newest) this.#clock.resume(newest);
      this.#namespace = namespace;
      await this.#log.open(namespace, this.#env, (early) => this.#restamp(early, newest));
      this.#storing();
      this.#disk.start();
      const meta = new Map((await this.#env.storage.list(['m'], 10)).map(([key, bytes]) => [key[1], decode(bytes)]));
      for (const f of this.#features) f.start?.(namespace);
      this.#syncs.start(Number(meta.get('epoch') ?? 0));
      this.#replicas.start();
      this.#link.start(String(meta.get('device') ?? ''));
      opened();
    } catch (err) {
      this.#report(new TopGunError('STORAGE', `what is stored cannot be read: ${messageOf(err)}`));
    }
    this.#changed();
  }

  /**
   * Gives what was written before the clock was known its place in the log; what is not newer than all that is known here
   * gets another timestamp first, so that it prevails. Nobody else has seen it.
   */
  #restamp(early: readonly Op[], newest: Timestamp | undefined): void {
    const behind = newest && early.some((op) => op.timestamp && compareTimestamps(op.timestamp, newest) <= 0);
    const tags = new Map<string, string>();
    for (const op of early) {
      if (behind) this.#replicas.restamp(op, tags);
      this.#log.add(op);
    }
    this.#delivery.added(early);
  }

  /** Takes over what a client that is gone has left. */
  #adopt(namespace: string, left: readonly (readonly [number, Op])[]): Promise<boolean> {
    const ops = left.map(([, op]) => op);
    for (const op of ops) {
      op.stored = false;
      this.#log.add(op);
      this.#replicas.restore(op);
    }
    // After the others, in the order in which things are stored: twice is harmless, not at all is not.
    for (const [id] of left) this.#disk.set(['q', namespace, id], null);
    this.#disk.set(['n', namespace], null);
    this.#delivery.added(ops);
    return this.#disk.settled();
  }

  #write(ops: readonly Op[]): void {
    for (const op of ops) this.#replicas.write(op);
    if (this.#log.isOpen) this.#delivery.added(ops);
    this.#changed();
  }

  #refused(op: Op, error: TopGunError): void {
    this.#replicas.undo(op);
    this.#answered(op);
    // Something may have lost against it here that nobody will send again.
    this.#syncs.again(op.doing.map);
    for (const callback of this.#onRefused) this.#flusher.call(() => callback(error));
    this.#report(error);
  }

  #handle<S>(r: Replica<S>, make: (r: Replica<S>) => MapHandle | ORMapHandle): MapHandle | ORMapHandle {
    this.open();
    const any = r as AnyReplica;
    let handle = this.#handles.get(any);
    if (!handle) {
      this.#handles.set(any, (handle = make(r)));
      this.#syncs.follow(any);
      this.#moved(any);
      this.#changed();
    }
    return handle;
  }

  #whenLoaded(r: AnyReplica): Promise<void> {
    return new Promise((resolve) => {
      if (r.loaded) resolve();
      else this.#loading.set(r, [...(this.#loading.get(r) ?? []), resolve]);
    });
  }

  #loaded(r: AnyReplica): void {
    for (const resolve of this.#loading.get(r) ?? []) resolve();
    this.#loading.delete(r);
    this.#syncs.loaded(r);
    this.#moved(r);
  }

  /** Stores the clock with whatever is stored, so that the next client begins behind it. */
  #storing(): void {
    if (this.#namespace) this.#disk.set(['n', this.#namespace], () => packClock(this.#clock.last()));
  }

  #attached(): void {
    this.#delivery.attached();
    for (const f of this.#features) f.attached?.();
    this.#syncs.attached();
  }

  #detached(): void {
    this.#delivery.detached();
    for (const f of this.#features) f.detached?.();
    this.#syncs.detached();
  }

  #receive(m: ServerMessage): void {
    try {
      if ('timestamp' in m && isTimestamp(m.timestamp)) this.#clock.resume(m.timestamp);
      this.#dispatch(m);
    } catch (err) {
      this.#report(new TopGunError('SERVER', `a message of type ${m.type} is left out: ${messageOf(err)}`));
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
        if (code === 429) this.#link.giveUp(error);
        else this.#report(error);
        return;
      }
      default:
        this.#syncs.receive(m);
        for (const f of this.#features) f.receive?.(m);
    }
  }

  /** Takes in what another client of the storage tells. */
  #told(message: unknown): void {
    const m = message as { readonly [name: string]: unknown };
    if (m['map'] === undefined) for (const f of this.#features) f.told?.(m);
    else if (this.#replicas.told(m as { map: string; kind: string; changes: Uint8Array })) this.#syncs.again(m['map'] as string);
  }

  #answered({ doing: { map, key } }: Op): void {
    for (const f of this.#features) f.answered?.(map, key);
  }

  #moved(r: AnyReplica): void {
    for (const f of this.#features) f.moved?.(r);
  }

  #changed(): void {
    if (this.#onStatus.size) this.#flusher.add(this.#tellStatus, false);
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

function storageOf({ storage, environment }: TopGunClientOptions, database: string): Storage {
  if (environment?.storage) return environment.storage;
  if (typeof storage === 'object') return storage;
  const indexed = storage === 'indexeddb' || (storage === undefined && typeof indexedDB !== 'undefined');
  return indexed ? new IndexedDBStorage(database) : new MemoryStorage();
}
