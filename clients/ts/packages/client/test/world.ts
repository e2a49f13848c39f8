// A world in virtual time: clocks, timers, networks, storages, locks and channels of any number of browsers and tabs, all
// driven by one seed. Nothing here waits for real time.
import { MemoryStorage } from '../src/memory.js';
import type { Channel, Environment, Key, Locks, Socket, SocketEvents, Storage } from '../src/environment.js';

/** Numbers from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** 0 … n−1 */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What happens when: a heap of events. */
export class World {
  readonly random: Random;
  now = 1_700_000_000_000;
  #heap: Event[] = [];
  #order = 0;
  #ids = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  id(): string {
    return `id${(++this.#ids).toString(36)}`;
  }

  /** Runs something later; the result prevents it. */
  after(ms: number, run: () => void): () => void {
    let live = true;
    this.#push({ at: this.now + Math.max(0, Math.ceil(ms)), order: ++this.#order, run: () => live && run() });
    return () => {
      live = false;
    };
  }

  /** Lets everything happen that is due within a time. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    while (this.#heap.length && this.#heap[0]!.at <= end) {
      const e = this.#pop();
      this.now = Math.max(this.now, e.at);
      e.run();
      await settled();
    }
    this.now = end;
  }

  #push(e: Event): void {
    const h = this.#heap;
    let i = h.push(e) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(e, h[up]!)) break;
      h[i] = h[up]!;
      i = up;
    }
    h[i] = e;
  }

  #pop(): Event {
    const h = this.#heap;
    const first = h[0]!;
    const last = h.pop()!;
    if (!h.length) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= h.length) break;
      if (child + 1 < h.length && before(h[child + 1]!, h[child]!)) child++;
      if (!before(h[child]!, last)) break;
      h[i] = h[child]!;
      i = child;
    }
    h[i] = last;
    return first;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at - b.at < 0 || (a.at === b.at && a.order < b.order);
}

/** Resolves when no promise has anything left to do. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The server's side of a connection. */
export interface Peer {
  message(frame: Uint8Array): void;
  /** The connection is gone, whoever ended it. */
  gone(): void;
}

/** What a server accepts connections with. */
export type Accept = (send: (frame: Uint8Array) => void, drop: () => void) => Peer | undefined;

/** A browser profile: a clock, a storage and tabs that share it, and a network. */
export class Profile {
  readonly tabs = new Set<Tab>();
  online = true;
  readonly storage = new MemoryStorage();
  storageAt = 0;
  readonly locks = new Map<string, { holder: Tab | undefined; queue: (() => void)[] }>();
  readonly channels = new Set<{ tab: Tab; name: string; receive: (m: unknown) => void }>();

  constructor(
    readonly world: World,
    /** How far the clock is ahead, in milliseconds. */
    readonly skew: number,
    readonly accept: Accept,
    /** How often storing fails. */
    public storageFails = 0,
  ) {}

  /** Cuts all connections, and lets no new one through until it is online again. */
  setOnline(online: boolean): void {
    this.online = online;
    for (const tab of this.tabs) {
      if (!online) tab.cut();
      else tab.wake();
    }
  }

  open(): Tab {
    const tab = new Tab(this);
    this.tabs.add(tab);
    return tab;
  }
}

/** A tab: what its client gets of the world, until it is killed. */
export class Tab {
  dead = false;
  readonly environment: Environment;
  readonly #profile: Profile;
  readonly #connections = new Set<() => void>();
  readonly #awake = new Set<() => void>();

  constructor(profile: Profile) {
    this.#profile = profile;
    const { world } = profile;
    this.environment = {
      now: () => world.now + profile.skew,
      timer: (callback, ms) => this.#later(ms, callback),
      pause: () => new Promise((resolve) => this.#later(0, resolve)),
      random: () => world.random.next(),
      id: () => world.id(),
      socket: (_url, events) => this.#socket(events),
      storage: this.#storage(),
      locks: this.#locks(),
      channel: (name, receive) => this.#channel(name, receive),
      online: (callback) => {
        this.#awake.add(callback);
        return () => this.#awake.delete(callback);
      },
    };
  }

  /** Ends it without a word: nothing it was about to do happens, but for a step of the storage that had begun. */
  kill(): void {
    this.dead = true;
    this.cut();
    this.#profile.tabs.delete(this);
    for (const c of this.#profile.channels) if (c.tab === this) this.#profile.channels.delete(c);
    for (const lock of this.#profile.locks.values()) if (lock.holder === this) this.#release(lock);
  }

  cut(): void {
    for (const drop of [...this.#connections]) drop();
  }

  wake(): void {
    for (const callback of this.#awake) callback();
  }

  #later(ms: number, run: () => void): () => void {
    return this.#profile.world.after(ms, () => {
      if (!this.dead) run();
    });
  }

  #socket(events: SocketEvents): Socket {
    const { world, accept } = this.#profile;
    const latency = 1 + world.random.below(40);
    let open = true;
    let peer: Peer | undefined;
    // Both directions keep their order, whatever the delays.
    let clientAt = 0;
    let serverAt = 0;
    const drop = (reason = 'cut'): void => {
      if (!open) return;
      open = false;
      this.#connections.delete(drop);
      world.after(1, () => peer?.gone());
      this.#later(1, () => events.closed(reason));
    };
    this.#connections.add(drop);
    this.#later(latency, () => {
      if (!open) return;
      if (!this.#profile.online) return drop('offline');
      peer = accept((frame) => {
        clientAt = Math.max(clientAt, world.now + latency + world.random.below(3));
        this.#later(clientAt - world.now, () => {
          if (open) events.message(frame);
        });
      }, drop);
      if (!peer) return drop('refused');
      events.open();
    });
    return {
      send: (frame) => {
        serverAt = Math.max(serverAt, world.now + latency);
        world.after(serverAt - world.now, () => {
          if (open) peer?.message(frame);
        });
      },
      close: () => {
        if (!open) return;
        open = false;
        this.#connections.delete(drop);
        world.after(latency, () => peer?.gone());
      },
    };
  }

  #storage(): Storage {
    const profile = this.#profile;
    const { world, storage } = profile;
    const step = <T>(run: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        // Steps that touch the same things run in the order in which they were begun, whoever began them.
        profile.storageAt = Math.max(profile.storageAt, world.now + world.random.below(4));
        const begun = world.random.chance(0.5);
        world.after(profile.storageAt - world.now, () => {
          if (this.dead && !begun) return;
          run().then(
            (v) => void this.#later(0, () => resolve(v)),
            (err: unknown) => void this.#later(0, () => reject(err as Error)),
          );
        });
      });
    return {
      durable: true,
      open: () => step(() => storage.open()),
      list: (prefix: Key, limit: number, after?: Key) => step(() => storage.list(prefix, limit, after)),
      update: (reads, change) => {
        if (world.random.chance(profile.storageFails)) return step(() => Promise.reject(new Error('no room')));
        return step(() => storage.update(reads, change));
      },
      close: () => undefined,
    };
  }

  #locks(): Locks {
    const { locks } = this.#profile;
    return {
      acquire: (name, wait, signal) => {
        let lock = locks.get(name);
        if (!lock) locks.set(name, (lock = { holder: undefined, queue: [] }));
        const held = lock;
        return new Promise((resolve) => {
          const take = (): void => {
            if (this.dead || signal.aborted) return this.#release(held);
            held.holder = this;
            let released = false;
            resolve(() => {
              if (released || held.holder !== this) return;
              released = true;
              this.#release(held);
            });
          };
          if (!held.holder) this.#later(0, () => (held.holder ? (wait ? held.queue.push(take) : resolve(undefined)) : take()));
          else if (wait) held.queue.push(take);
          else this.#later(0, () => resolve(undefined));
        });
      },
    };
  }

  #release(lock: { holder: Tab | undefined; queue: (() => void)[] }): void {
    lock.holder = undefined;
    const next = lock.queue.shift();
    if (next) this.#profile.world.after(0, () => (lock.holder ? lock.queue.unshift(next) : next()));
  }

  #channel(name: string, receive: (m: unknown) => void): Channel {
    const { channels, world } = this.#profile;
    const me = { tab: this as Tab, name, receive };
    channels.add(me);
    let at = 0;
    return {
      send: (message) => {
        const copy = structuredClone(message);
        at = Math.max(at, world.now + world.random.below(3));
        for (const c of channels) {
          if (c === me || c.name !== name) continue;
          world.after(at - world.now, () => {
            if (!c.tab.dead && channels.has(c)) c.receive(structuredClone(copy));
          });
        }
      },
      close: () => channels.delete(me),
    };
  }
}
