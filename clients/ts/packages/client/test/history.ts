// One random history: browsers with tabs that come, go and crash, go offline and come back, write, remove, query; a server
// that restarts, loses, repeats and delays its answers, refuses, re-stamps and forgets. Then everything is let settle, and
// everybody has to agree, with nothing lost and nothing doubled.
import { compareTimestamps, equal, runQuery } from '@topgun/core';
import { TopGunClient, type QueryHandle, type TopGunError, type Write } from '../src/index.js';
import { Server, visible } from './server.js';
import { Profile, World, type Tab } from './world.js';

interface Val {
  readonly id: string;
  readonly n: number;
  readonly bad?: true;
}

interface Written {
  readonly id: string;
  readonly what: string;
  readonly handle: Write;
  stored: boolean;
}

interface Open {
  readonly tab: Tab;
  readonly client: TopGunClient;
  readonly profile: Profile;
  readonly queries: QueryHandle<Val>[];
  readonly handles: Written[];
  readonly refused: TopGunError[];
}

const lwwMaps = ['alpha', 'beta'];
const orMaps = ['sets'];
const keys = ['a', 'b', 'c', 'd', 'keep1', 'key six'];
const selection = { where: { n: { $gte: 30 } }, sort: { n: 'desc' }, limit: 3 } as const;
const whole = { sort: [{ field: 'n', direction: 'desc' }], where: { n: { $gte: 30 } }, limit: 3 } as const;

class Failure extends Error {}

function check(ok: boolean, what: string, ...details: unknown[]): void {
  if (!ok) throw new Failure([what, ...details.map((d) => JSON.stringify(d))].join(' '));
}

export class History {
  readonly #world: World;
  readonly #server: Server;
  readonly #profiles: Profile[];
  readonly #open: Open[] = [];
  readonly #written: Written[] = [];
  readonly #log: string[] = [];
  #ids = 0;
  /** What was counted, and what of that was stored. */
  readonly #counts: { amount: number; stored: boolean }[] = [];
  #collects: boolean;

  /** @param traced whether the log has the messages too */
  constructor(seed: number, traced = false) {
    this.#world = new World(seed);
    const r = this.#world.random;
    const calm = r.chance(0.3);
    this.#server = new Server(this.#world, {
      lostAck: calm ? 0 : 0.15,
      repeatedAck: calm ? 0 : 0.15,
      lateAck: calm ? 0 : 0.15,
      slowest: r.pick([1, 20, 400]),
    });
    // Some servers know no positions.
    this.#server.resumes = seed % 5 > 0;
    if (traced) this.#server.trace = (direction, m) => /PING|PONG/.test((m as { type: string }).type) || this.#note(direction, m);
    const storageFails = r.chance(0.2) ? 0.05 : 0;
    this.#profiles = [0, r.pick([0, 3_600_000, -600_000])].map((skew) => new Profile(this.#world, skew, this.#server.accept, storageFails));
    this.#collects = r.chance(0.3);
  }

  /** What happened, to be printed. */
  get log(): string {
    return this.#log.join('\n');
  }

  #note(...words: unknown[]): void {
    this.#log.push(`${this.#world.now - 1_700_000_000_000} ${words.map((w) => (typeof w === 'string' ? w : JSON.stringify(w))).join(' ')}`);
  }

  async run(steps: number): Promise<void> {
    for (const p of this.#profiles) this.#openTab(p);
    for (let i = 0; i < steps; i++) await this.#step();
    await this.#finish();
  }

  #openTab(profile: Profile): Open {
    const tab = profile.open();
    const client = new TopGunClient({ serverUrl: 'ws://server', database: 'db', environment: tab.environment });
    const open: Open = { tab, client, profile, queries: [], handles: [], refused: [] };
    client.onError((e) => {
      if (e.code === 'CALLBACK') throw e;
      if (e.code === 'SERVER' && !/not now/.test(e.message)) throw e;
    });
    client.onRefused((e) => open.refused.push(e));
    for (const name of lwwMaps) if (this.#world.random.chance(0.8)) client.getMap<Val>(name);
    for (const name of orMaps) client.getORMap<Val>(name);
    client.getPNCounter('hits');
    this.#open.push(open);
    this.#note('open', this.#profiles.indexOf(profile), this.#open.length);
    return open;
  }

  #value(): Val {
    const id = `w${++this.#ids}`;
    const n = this.#world.random.below(60);
    return this.#world.random.chance(0.1) ? { id, n, bad: true } : { id, n };
  }

  #track(open: Open, id: string, what: string, handle: Write): void {
    const w: Written = { id, what, handle, stored: false };
    const look = (): void => {
      // Where storing fails, what is not stored is sent all the same.
      if (handle.state === 'stored' || (handle.state !== 'local' && !open.profile.storageFails)) w.stored = true;
    };
    look();
    handle.onChange(look);
    handle.done().catch(() => undefined);
    open.handles.push(w);
    this.#written.push(w);
  }

  #write(open: Open): void {
    const r = this.#world.random;
    const key = r.pick(keys);
    if (r.chance(0.3)) {
      const sets = open.client.getORMap<Val>(r.pick(orMaps));
      const held = sets.get(key);
      if (held.length && r.chance(0.45)) {
        const v = r.pick(held);
        this.#note('or remove', key, v.id);
        sets.remove(key, v);
        check(!sets.get(key).some((x) => x.id === v.id), 'a removed value is still there', key, v);
      } else {
        const v = this.#value();
        this.#note('or add', key, v);
        this.#track(open, v.id, 'or', sets.add(key, v));
        check(sets.get(key).some((x) => x.id === v.id), 'an added value is not there', key, v);
      }
      return;
    }
    const map = open.client.getMap<Val>(r.pick(lwwMaps));
    if (r.chance(0.25)) {
      this.#note('remove', map.name, key);
      map.remove(key);
      check(map.get(key) === undefined, 'a removed key is still there', key);
    } else {
      const v = this.#value();
      this.#note('set', map.name, key, v);
      this.#track(open, v.id, map.name, map.set(key, v));
      check(map.get(key)?.id === v.id, 'a write is not there', key, v);
    }
  }

  #count(open: Open): void {
    const amount = 1 + this.#world.random.below(9);
    const count = { amount, stored: false };
    this.#counts.push(count);
    this.#note('count', amount);
    const counter = open.client.getPNCounter('hits');
    const before = counter.get();
    check(counter.addAndGet(amount) === before + amount, 'what is counted is not there', before, amount);
    void open.client.stored().then((stored) => (count.stored = stored && !open.tab.dead));
  }

  async #step(): Promise<void> {
    const r = this.#world.random;
    const open = this.#open.length ? r.pick(this.#open) : this.#openTab(r.pick(this.#profiles));
    const { profile } = open;
    const dice = r.below(100);
    if (dice < 40) this.#write(open);
    else if (dice < 45) this.#count(open);
    else if (dice < 52) {
      this.#note(profile.online ? 'offline' : 'online', this.#profiles.indexOf(profile));
      profile.setOnline(!profile.online);
    } else if (dice < 56) open.tab.cut();
    else if (dice < 60) {
      this.#note('server', this.#server.up ? 'down' : 'up');
      if (this.#server.up) this.#server.crash();
      else this.#server.up = true;
    } else if (dice < 65) {
      if (profile.tabs.size < 3) this.#openTab(profile);
    } else if (dice < 70) this.#kill(open);
    else if (dice < 73) await this.#close(open);
    else if (dice < 77 && open.queries.length < 2) {
      const q = open.client.query<Val>(r.pick(lwwMaps), selection);
      q.subscribe(() => undefined);
      open.queries.push(q);
    } else if (dice < 81) await this.#seenByTabs(open);
    else if (dice < 83 && this.#collects) {
      this.#note('collect');
      this.#server.collect(20_000);
    } else await this.#world.run(r.pick([1, 5, 30, 200, 2000, 20_000]));
  }

  #kill(open: Open): void {
    this.#note('kill', this.#open.indexOf(open));
    open.tab.kill();
    this.#open.splice(this.#open.indexOf(open), 1);
  }

  async #close(open: Open): Promise<void> {
    this.#note('close', this.#open.indexOf(open));
    let closed = false;
    void open.client.close().then(() => (closed = true));
    await this.#world.run(5000);
    check(closed, 'a client did not close');
    // Closed properly, everything it wrote is stored, unless storing fails.
    if (!open.profile.storageFails) for (const w of open.handles) check(w.stored, 'a write was not stored before the client was closed', w.id, w.handle.state);
    open.tab.kill();
    this.#open.splice(this.#open.indexOf(open), 1);
  }

  /** A write in one tab is in the others at once, offline too. */
  async #seenByTabs(open: Open): Promise<void> {
    await this.#world.run(500);
    const map = open.client.getMap<Val>('alpha');
    for (const other of this.#open) other.client.getMap('alpha');
    await this.#world.run(100);
    const v = { id: `w${++this.#ids}`, n: 1 };
    this.#note('seen by tabs', v);
    this.#track(open, v.id, 'alpha', map.set('a', v));
    const { timestamp } = map.getRecord('a')!;
    await this.#world.run(100);
    // What cannot be stored is not told.
    if (open.profile.storageFails) return;
    for (const other of this.#open) {
      if (other.profile !== open.profile) continue;
      const record = other.client.getMap<Val>('alpha').getRecord('a');
      const newer = record && compareTimestamps(record.timestamp, timestamp) >= 0;
      const restamped = record && record.value?.id === v.id;
      const answered = this.#server.accepted.has(v.id) || this.#server.refused.has(v.id);
      check(!!newer || !!restamped || answered, 'another tab does not see a write', v, record, other.client.status, this.#open.indexOf(other));
    }
  }

  async #finish(): Promise<void> {
    this.#note('finish');
    const { faults } = this.#server;
    this.#server.faults = { ...faults, lostAck: 0, lateAck: 0, repeatedAck: 0 };
    this.#server.up = true;
    for (const p of this.#profiles) {
      p.storageFails = 0;
      p.setOnline(true);
      if (!p.tabs.size) this.#openTab(p);
    }
    for (const o of this.#open) for (const name of lwwMaps) o.client.getMap(name);
    await this.#world.run(400_000);
    for (const o of this.#open) this.#checkTab(o, `tab ${this.#open.indexOf(o)}`, true);
    this.#checkWrites();
    for (const p of this.#profiles) check((await p.storage.list(['q'], 10)).length === 0, 'operations are left in the storage');
    // What is stored says the same, without any network.
    for (const p of this.#profiles) {
      for (const o of this.#open.filter((x) => x.profile === p)) this.#kill(o);
      p.setOnline(false);
      const o = this.#openTab(p);
      for (const name of lwwMaps) o.client.getMap(name);
      await this.#world.run(2000);
      this.#checkTab(o, 'what is stored', false);
    }
  }

  #checkTab({ client, queries, handles }: Open, who: string, online: boolean): void {
    const { now } = this.#world;
    const hits = client.getPNCounter('hits').get();
    const counted = this.#server.counterOf('hits').value;
    // The last step of a tab that was killed may have been stored when nobody was left to be told; the next start finds it.
    check(online ? hits === counted : hits >= counted, `${who}: the counter is`, hits, counted);
    for (const name of lwwMaps) {
      const mine = Object.fromEntries(client.getMap<Val>(name));
      const theirs = Object.fromEntries(visible(this.#server.mapOf(name), now));
      check(equal(mine, theirs), `${who}: map ${name} differs:`, mine, theirs);
    }
    for (const name of orMaps) {
      const set = client.getORMap<Val>(name);
      for (const key of keys) {
        const mine = set.get(key).map((v) => v.id).sort();
        const theirs = this.#server.orOf(name).values(key, now).map((v) => (v as unknown as Val).id).sort();
        check(equal(mine, theirs), `${who}: set ${key} of ${name} differs:`, mine, theirs);
        check(new Set(mine).size === mine.length, `${who}: a value is doubled`, key, mine);
      }
    }
    if (!online) return;
    const { status } = client;
    check(status.connection === 'connected' && status.pending === 0 && status.syncing === 0, `${who}: the status is`, status);
    for (const w of handles) check(['acknowledged', 'refused'].includes(w.handle.state), `${who}: a write is not settled`, w.id, w.handle.state);
    const rows = (map: string) => runQuery(whole, visible(this.#server.mapOf(map), now)).rows.map((row) => (row.value as unknown as Val).id);
    const possible = lwwMaps.map(rows);
    for (const q of queries) {
      const got = q.getSnapshot().map((item) => item.id);
      check(possible.some((p) => equal(p, got)), `${who}: a query shows`, got, possible);
    }
  }

  /** Nothing that was stored is lost, nothing was sent as two. */
  #checkWrites(): void {
    const sum = (counts: readonly { amount: number }[]): number => counts.reduce((n, c) => n + c.amount, 0);
    const hits = this.#server.counterOf('hits').value;
    check(hits >= sum(this.#counts.filter((c) => c.stored)) && hits <= sum(this.#counts), 'the counter lost or doubled something', hits, this.#counts);
    for (const w of this.#written) {
      const accepted = this.#server.accepted.get(w.id);
      const refused = this.#server.refused.get(w.id);
      if (w.stored) check(!!accepted || !!refused, 'a stored write is lost', w.id, w.what, w.handle.state);
      if (w.handle.state === 'acknowledged') check(!!accepted, 'an acknowledged write is lost', w.id);
      if (w.handle.state === 'refused') check(!!refused || /STALE/.test(w.handle.error?.message ?? ''), 'a write was refused without the server', w.id, w.handle.error?.message);
      if (accepted) check(accepted.sent.size === 1, 'a write was sent as two', w.id, [...accepted.sent]);
    }
  }
}

