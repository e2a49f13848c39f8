// What the client promises an application, in virtual time: one browser or two, and the model of the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, type messages, type ServerMessage } from '@topgun/core';
import { TopGunClient, type Status, type TopGunClientOptions, type TopGunError } from '../src/index.js';
import { Server } from './server.js';
import { Profile, World, type Accept, type Tab } from './world.js';

interface Todo {
  readonly text: string;
  readonly rank: number;
  readonly bad?: true;
}

const faultless = { lostAck: 0, repeatedAck: 0, lateAck: 0, slowest: 1 };

function setup(seed = 1) {
  const world = new World(seed);
  const server = new Server(world, { ...faultless });
  const profile = new Profile(world, 0, server.accept);
  return { world, server, profile };
}

function client(profile: Profile, options: TopGunClientOptions = {}): { client: TopGunClient; tab: Tab; errors: TopGunError[] } {
  const tab = profile.open();
  const c = new TopGunClient({ serverUrl: 'ws://server', environment: tab.environment, ...options });
  const errors: TopGunError[] = [];
  c.onError((e) => errors.push(e));
  return { client: c, tab, errors };
}

test('a write is local, stored, sent and acknowledged, and says so', async () => {
  const { world, profile } = setup();
  const { client: c } = client(profile);
  const w = c.getMap<Todo>('todos').set('a', { text: 'milk', rank: 1 });
  const states = [w.state];
  w.onChange(() => states.push(w.state));
  const done = w.done();
  await world.run(1000);
  assert.deepEqual(states, ['local', 'stored', 'sent', 'acknowledged']);
  assert.equal(await done, 'PERSISTED');
  assert.equal(w.level, 'PERSISTED');
});

test('a refused write is taken back, and everybody who can be told is told why', async () => {
  const { world, profile } = setup();
  const { client: c, errors } = client(profile);
  const refused: TopGunError[] = [];
  c.onRefused((e) => refused.push(e));
  const todos = c.getMap<Todo>('todos');
  todos.set('a', { text: 'milk', rank: 1 });
  await world.run(1000);
  const w = todos.set('a', { text: 'beer', rank: 2, bad: true });
  assert.equal(todos.get('a')?.text, 'beer');
  const done = w.done().catch((e: TopGunError) => e);
  await world.run(1000);
  assert.equal(todos.get('a')?.text, 'milk');
  assert.equal(w.state, 'refused');
  const error = (await done) as TopGunError;
  assert.equal(error.code, 'REFUSED');
  assert.deepEqual(error.reason, { number: 403, name: 'FORBIDDEN', text: 'FORBIDDEN: a policy denies this' });
  assert.deepEqual(error.operation, { map: 'todos', key: 'a', type: 'PUT', value: { text: 'beer', rank: 2, bad: true } });
  assert.deepEqual(refused, [error]);
  assert.deepEqual(errors, [error]);
});

test('a write that the server re-stamped, and whose deletion it has forgotten, leaves nothing', async () => {
  const { world, server, profile } = setup();
  const fast = new Profile(world, 3_600_000, server.accept);
  const [one, other] = [client(fast).client, client(fast).client];
  const theirs = client(profile).client.getMap<Todo>('todos');
  const tabs = [one, other].map((c) => c.getMap<Todo>('todos'));
  await world.run(1000);
  server.faults = { ...faultless, lostAck: 1 };
  const w = tabs[0]!.set('a', { text: 'milk', rank: 1 });
  await world.run(1000);
  assert.equal(tabs[0]!.getRecord('a')?.timestamp.nodeId, 'server');
  fast.setOnline(false);
  theirs.remove('a');
  await world.run(1000);
  server.faults = faultless;
  await world.run(30_000);
  server.collect(10_000);
  assert.equal(server.mapOf('todos').record('a'), undefined);
  fast.setOnline(true);
  await world.run(60_000);
  assert.equal(w.error?.reason?.name, 'STALE_WRITE');
  fast.setOnline(false);
  for (const map of [...tabs, client(fast).client.getMap<Todo>('todos')]) {
    await world.run(1000);
    assert.equal(map.getRecord('a'), undefined);
  }
});

test('a removal that is refused because it is too old brings nothing back', async () => {
  const { world, server, profile } = setup();
  const { client: c, tab } = client(profile);
  const todos = c.getMap<Todo>('todos');
  const sets = c.getORMap<string>('sets');
  todos.set('a', { text: 'milk', rank: 1 });
  sets.add('a', 'x');
  await world.run(1000);
  server.faults = { ...faultless, lostAck: 1 };
  todos.remove('a');
  sets.remove('a', 'x');
  await world.run(3000);
  // Found equal after the removal, it is not told to begin anew.
  tab.cut();
  await world.run(10_000);
  assert.equal(c.status.syncing, 0);
  server.collect(11_000);
  assert.equal(server.mapOf('todos').record('a'), undefined);
  server.faults = faultless;
  await world.run(60_000);
  assert.equal(c.status.pending, 0);
  assert.equal(c.status.lastError?.reason?.name, 'STALE_WRITE');
  assert.equal(todos.get('a'), undefined);
  assert.deepEqual(sets.get('a'), []);
});

test('a write that was refused in an earlier page is told to the page that sends it', async () => {
  const { world, profile } = setup();
  profile.setOnline(false);
  const first = client(profile);
  first.client.getMap<Todo>('todos').set('a', { text: 'beer', rank: 2, bad: true });
  await world.run(1000);
  first.tab.kill();
  profile.setOnline(true);
  const { client: c } = client(profile);
  const refused: TopGunError[] = [];
  c.onRefused((e) => refused.push(e));
  assert.equal(c.status.pending, 0);
  await world.run(60_000);
  assert.deepEqual(refused.map((e) => e.operation), [{ map: 'todos', key: 'a', type: 'PUT', value: { text: 'beer', rank: 2, bad: true } }]);
  assert.equal(c.getMap('todos').get('a'), undefined);
});

test('what was written before the storage was open prevails over what is in it, whatever the clock says', async () => {
  const { world, server } = setup();
  const fast = new Profile(world, 0, server.accept);
  fast.setOnline(false);
  const first = client(fast);
  first.client.getMap<Todo>('todos').set('a', { text: 'old', rank: 1 });
  await world.run(100);
  first.tab.kill();
  // The clock of the machine goes back by an hour.
  (fast as { skew: number }).skew = -3_600_000;
  const { client: c } = client(fast);
  const todos = c.getMap<Todo>('todos');
  todos.set('a', { text: 'new', rank: 2 });
  const sets = c.getORMap<string>('sets');
  sets.add('s', 'x');
  sets.remove('s', 'x');
  sets.add('s', 'y');
  await world.run(1000);
  assert.equal(todos.get('a')?.text, 'new');
  assert.deepEqual(sets.get('s'), ['y']);
  fast.setOnline(true);
  await world.run(60_000);
  assert.equal((server.mapOf('todos').get('a', world.now) as unknown as Todo).text, 'new');
  assert.deepEqual(server.orOf('sets').values('s', world.now), ['y']);
});

test('the status tells how it is', async () => {
  const { world, profile, server } = setup();
  const { client: c } = client(profile);
  const seen: Status[] = [];
  c.onStatus((s) => seen.push(s));
  const todos = c.getMap<Todo>('todos');
  await world.run(1000);
  const connections = seen.map((s) => s.connection).filter((s, i, all) => s !== all[i - 1]);
  assert.equal(connections[0], 'offline');
  assert.equal(connections.at(-1), 'connected');
  assert.deepEqual({ ...seen.at(-1) }, { connection: 'connected', retryAt: undefined, pending: 0, syncing: 0, durable: true, lastError: undefined });
  server.crash();
  todos.set('a', { text: 'milk', rank: 1 });
  await world.run(100);
  const { connection, retryAt, pending, lastError } = c.status;
  assert.equal(connection, 'offline');
  assert.ok(retryAt! > world.now);
  assert.equal(pending, 1);
  assert.equal(lastError?.code, 'CONNECTION');
});

test('attempts to connect become rarer, up to a bound, and no two clients keep step', async () => {
  const delays: number[][] = [];
  for (const seed of [1, 2]) {
    const world = new World(seed);
    const at: number[] = [];
    const profile = new Profile(world, 0, () => (at.push(world.now), undefined));
    client(profile, { backoff: { firstMs: 100, greatestMs: 5000 } });
    await world.run(120_000);
    delays.push(at.slice(1).map((t, i) => t - at[i]!));
  }
  for (const list of delays) {
    list.slice(0, 12).forEach((d, i) => {
      const base = Math.min(5000, 100 * 2 ** i);
      assert.ok(d >= base * 0.5 && d <= base * 1.5 + 200, `delay ${i} is ${d}`);
    });
  }
  assert.notDeepEqual(delays[0], delays[1]);
});

test('a connection that has gone silent is replaced', async () => {
  const { world, server } = setup();
  let silent = false;
  let accepted = 0;
  const profile = new Profile(world, 0, (send, drop) => {
    accepted++;
    return server.accept((frame) => silent || send(frame), drop);
  });
  const { client: c } = client(profile);
  await world.run(1000);
  assert.equal(c.status.connection, 'connected');
  silent = true;
  await world.run(25_000);
  assert.ok(accepted > 1);
  silent = false;
  await world.run(30_000);
  assert.equal(c.status.connection, 'connected');
});

/** A server that wants a token. */
function guarded(world: World, server: Server, valid: string, hello: unknown[]): Accept {
  return (send, drop) => {
    const say = (m: ServerMessage): void => send(encode(m));
    const inner = server.accept(send, drop);
    let known = false;
    say({ type: 'AUTH_REQUIRED' });
    world.after(10_000, () => known || drop());
    return {
      message(frame) {
        const m = decode(frame) as unknown as { type: string; token?: string };
        if (known) return inner?.message(frame);
        hello.push(m);
        if (m.type !== 'AUTH') return;
        known = m.token === valid;
        if (known) say({ type: 'AUTH_ACK', userId: 'u', deviceToken: 'device-1' });
        else {
          say({ type: 'AUTH_FAIL', error: 'expired' });
          world.after(100, drop);
        }
      },
      gone: () => inner?.gone(),
    };
  };
}

test('a client without a token waits for one, and goes on with it', async () => {
  const { world, server } = setup();
  const hello: unknown[] = [];
  const profile = new Profile(world, 0, guarded(world, server, 'good', hello));
  const { client: c, errors } = client(profile);
  const w = c.getMap<Todo>('todos').set('a', { text: 'milk', rank: 1 });
  await world.run(2000);
  assert.equal(c.status.connection, 'unauthorized');
  assert.equal(errors[0]?.code, 'UNAUTHORIZED');
  c.setAuthToken('bad');
  await world.run(500);
  assert.equal(c.status.connection, 'unauthorized');
  assert.equal(errors.at(-1)?.message, 'expired');
  assert.equal(w.state, 'stored');
  // One that comes while another one is looked at is not forgotten.
  c.setAuthToken('bad');
  c.setAuthToken('good');
  await world.run(5000);
  assert.equal(c.status.connection, 'connected');
  assert.equal(w.state, 'acknowledged');
});

test('a token provider is asked for every connection, and the device is recognised', async () => {
  const { world, server } = setup();
  const hello: { token?: string; deviceToken?: string }[] = [];
  const profile = new Profile(world, 0, guarded(world, server, 'token-2', hello));
  let n = 0;
  const { client: c, tab } = client(profile, { token: () => Promise.resolve(`token-${++n}`) });
  await world.run(10_000);
  assert.equal(c.status.connection, 'connected');
  assert.deepEqual(hello.map((m) => m.token), ['token-1', 'token-2']);
  tab.kill();
  n = 1;
  client(profile, { token: () => `token-${++n}` });
  await world.run(1000);
  assert.equal(hello.at(-1)?.deviceToken, 'device-1');
});

test('a token provider without a token is as good as none', async () => {
  const { world, server } = setup();
  const profile = new Profile(world, 0, guarded(world, server, 'good', []));
  let token: string | null = null;
  const { client: c } = client(profile, { token: () => token });
  await world.run(3000);
  assert.equal(c.status.connection, 'unauthorized');
  token = 'good';
  await world.run(60_000);
  assert.equal(c.status.connection, 'connected');
});

test('a server that knows no devices shows it by saying nothing', async () => {
  const { world, server } = setup();
  const profile = new Profile(world, 0, (send, drop) => {
    const peer = server.accept(send, drop);
    return peer && { message: (f) => ((decode(f) as { type?: unknown }).type === 'DEVICE_HELLO' ? undefined : peer.message(f)), gone: peer.gone };
  });
  const { client: c } = client(profile);
  await world.run(400);
  assert.equal(c.status.connection, 'authenticating');
  await world.run(1000);
  assert.equal(c.status.connection, 'connected');
});

test('limits are kept, and say what to do', async () => {
  const { world, profile } = setup();
  profile.setOnline(false);
  const { client: c } = client(profile, { limits: { writes: 2, publications: 1 } });
  const todos = c.getMap<Todo>('todos');
  todos.set('a', { text: '1', rank: 1 });
  todos.set('b', { text: '2', rank: 1 });
  const code = (f: () => unknown): unknown => {
    try {
      f();
    } catch (e) {
      return (e as TopGunError).code;
    }
    return 'nothing';
  };
  assert.equal(code(() => todos.set('c', { text: '3', rank: 1 })), 'QUEUE_FULL');
  assert.equal(todos.get('c'), undefined);
  assert.equal(code(() => todos.set('\ud800', { text: '', rank: 1 })), 'INVALID_KEY');
  assert.equal(code(() => todos.set('a', null as never)), 'INVALID_VALUE');
  assert.equal(code(() => todos.set('a', { text: new Date() } as never)), 'INVALID_VALUE');
  assert.equal(code(() => todos.set('a', { text: '', rank: 1 }, { ttlMs: 0.5 })), 'INVALID_VALUE');
  assert.equal(code(() => c.getMap('a:b')), 'INVALID_NAME');
  assert.equal(code(() => c.getORMap('todos')), 'MAP_KIND');
  assert.equal(code(() => c.query('todos', { limit: -1 })), 'INVALID_QUERY');
  assert.equal(code(() => c.query('todos', { where: { a: { $gt: 1, $lt: 2 } }, predicate: { op: 'and', children: 1 } as never })), 'INVALID_QUERY');
  c.topic('chat').publish('one');
  assert.equal(code(() => c.topic('chat').publish('two')), 'QUEUE_FULL');
  assert.equal(code(() => c.topic('no spaces')), 'INVALID_NAME');
  assert.equal(code(() => c.getPNCounter('n').addAndGet(NaN)), 'INVALID_AMOUNT');
  const closed = c.close();
  assert.equal(code(() => todos.set('a', { text: '', rank: 1 })), 'CLOSED');
  await world.run(1000);
  await closed;
});

test('a query shows what is here, then what the server says, then the whole replica; rows that stay are the same objects', async () => {
  const { world, server, profile } = setup();
  const author = client(new Profile(world, 0, server.accept)).client;
  const theirs = author.getMap<Todo>('todos');
  for (let i = 0; i < 10; i++) theirs.set(`k${i}`, { text: `t${i}`, rank: i });
  await world.run(1000);

  profile.setOnline(false);
  const { client: c } = client(profile);
  const q = c.query<Todo>('todos', { where: { rank: { $gte: 5 } }, sort: { rank: 'desc' }, limit: 2 });
  const told: [string[], boolean][] = [];
  q.subscribe((rows, meta) => told.push([rows.map((r) => r._key), meta.settled]));
  await world.run(100);
  assert.deepEqual(told.at(-1), [[], false]);
  assert.equal(q.isSettled, false);

  profile.setOnline(true);
  await world.run(5000);
  assert.deepEqual(told.at(-1), [['k9', 'k8'], true]);
  assert.deepEqual(q.getPaginationInfo(), { hasMore: true, cursorStatus: 'none' });
  const [nine] = q.getSnapshot();

  // A change of another row leaves this one alone, and an equal write changes nothing.
  theirs.set('k8', { text: 'eight', rank: 8 });
  await world.run(1000);
  assert.equal(q.getSnapshot()[1]?.text, 'eight');
  assert.equal(q.getSnapshot()[0], nine);
  const n = told.length;
  const rows = q.getSnapshot();
  theirs.set('k8', { text: 'eight', rank: 8 });
  await world.run(1000);
  assert.equal(told.length, n);
  assert.equal(q.getSnapshot(), rows);
  // Other places are another array of the same rows.
  const [, eight] = rows;
  theirs.set('k9', { text: 't9', rank: 7.5 });
  await world.run(1000);
  assert.deepEqual(told.at(-1), [['k8', 'k9'], true]);
  assert.equal(q.getSnapshot()[0], eight);
  theirs.set('k9', { text: 't9', rank: 9 });
  await world.run(1000);
  const [back] = q.getSnapshot();

  // One more page, live as a whole.
  await Promise.all([q.loadMore(), world.run(1000)]);
  assert.deepEqual(told.at(-1)?.[0], ['k9', 'k8', 'k7', 'k6']);
  theirs.remove('k7');
  await world.run(1000);
  assert.deepEqual(told.at(-1)?.[0], ['k9', 'k8', 'k6', 'k5']);
  assert.equal(q.getSnapshot()[0], back);

  // With the whole map here a write is in the result at once, online or not.
  const mine = c.getMap<Todo>('todos');
  await world.run(2000);
  profile.setOnline(false);
  await world.run(100);
  mine.set('k1', { text: 'one', rank: 100 });
  await world.run(0);
  assert.deepEqual(told.at(-1), [['k1', 'k9', 'k8', 'k6'], true]);
  assert.equal(q.getSnapshot()[1], back);
  const changes: unknown[] = [];
  q.onDelta((d) => changes.push(...d.map((x) => [x.type, x.key])));
  mine.remove('k1');
  await world.run(0);
  assert.deepEqual(changes, [['add', 'k5'], ['remove', 'k1']]);
});

test('a query that comes back is sent what it has missed, and no more', async () => {
  const { world, server, profile } = setup();
  const theirs = client(new Profile(world, 0, server.accept)).client.getMap<Todo>('todos');
  for (let i = 0; i < 10; i++) theirs.set(`k${i}`, { text: `t${i}`, rank: i });
  await world.run(1000);
  const { client: c } = client(profile);
  const q = c.query<Todo>('todos', { sort: { rank: 'desc' }, limit: 3 });
  let told = 0;
  q.subscribe(() => told++);
  const keys = (): string[] => q.getSnapshot().map((row) => row._key);
  let sent: string[] = [];
  server.trace = (direction, m) => {
    if (!direction.startsWith('<-')) return;
    const { type, payload } = m as messages.QueryResp | messages.QueryUpdate;
    if (type === 'QUERY_RESP') sent.push(payload.resumed ? 'resumed' : payload.results.map((r) => r.key).join());
    if (type === 'QUERY_UPDATE') sent.push(`${payload.changeType} ${payload.key}`);
  };
  const away = async (meanwhile: () => void): Promise<string[]> => {
    profile.setOnline(false);
    await world.run(100);
    meanwhile();
    await world.run(1000);
    sent = [];
    profile.setOnline(true);
    await world.run(5000);
    return sent;
  };
  await world.run(2000);
  assert.deepEqual(sent, ['k9,k8,k7']);

  const [, , seven] = q.getSnapshot();
  const missed = await away(() => {
    theirs.remove('k9');
    theirs.set('k8', { text: 'eight', rank: 8 });
    theirs.set('k0', { text: 'none', rank: 0 });
  });
  assert.deepEqual(missed, ['resumed', 'LEAVE k9', 'UPDATE k8', 'ENTER k6']);
  assert.deepEqual(keys(), ['k8', 'k7', 'k6']);
  assert.equal(q.getSnapshot()[0]?.text, 'eight');
  assert.equal(q.getSnapshot()[1], seven);

  // Who has missed nothing is sent nothing, and nobody is told.
  const before = told;
  assert.deepEqual(await away(() => undefined), ['resumed']);
  assert.equal(told, before);

  // The position is that of the rows which are shown, also of more of them.
  await Promise.all([q.loadMore(), world.run(1000)]);
  assert.deepEqual(await away(() => theirs.set('k1', { text: 'one', rank: 100 })), ['resumed', 'LEAVE k3', 'ENTER k1']);
  assert.deepEqual(keys(), ['k1', 'k8', 'k7', 'k6', 'k5', 'k4']);
  const more: Promise<void>[] = [];
  assert.deepEqual(await away(() => more.push(q.loadMore())), ['k1,k8,k7,k6,k5,k4,k3,k2,k0']);
  await Promise.all(more);

  // A server that was started again, or that knows nothing of this, sends everything.
  const restart = (): void => {
    server.crash();
    server.up = true;
  };
  assert.deepEqual(await away(restart), ['k1,k8,k7,k6,k5,k4,k3,k2,k0']);
  server.resumes = false;
  await away(restart);
  assert.deepEqual(await away(() => theirs.remove('k0')), ['k1,k8,k7,k6,k5,k4,k3,k2']);
  assert.equal(q.getSnapshot()[2], seven);
});

test('a result that was given up is not resumed', async () => {
  const { world, server, profile } = setup();
  const theirs = client(new Profile(world, 0, server.accept)).client.getMap<Todo>('todos');
  theirs.set('a', { text: 'milk', rank: 1 });
  await world.run(1000);
  const { client: c } = client(profile);
  const q = c.query<Todo>('todos');
  const stop = q.subscribe(() => undefined);
  await world.run(1000);
  stop();
  theirs.set('b', { text: 'bread', rank: 2 });
  await world.run(1000);
  q.subscribe(() => undefined);
  await world.run(1000);
  assert.deepEqual(q.getSnapshot().map((row) => row._key), ['a', 'b']);
});

test('a write shows in the server’s result at once, and stays until the server says otherwise', async () => {
  const { world, server, profile } = setup();
  server.faults = { ...faultless, slowest: 2000 };
  const { client: c } = client(profile);
  const q = c.query<Todo>('todos', { sort: { rank: 'asc' } });
  const shown: string[][] = [];
  q.subscribe((rows) => shown.push(rows.map((r) => `${r._key}=${r.text}`)));
  await world.run(3000);
  const todos = c.getMap<Todo>('todos');
  todos.set('a', { text: 'one', rank: 1 });
  shown.length = 0;
  await world.run(0);
  assert.deepEqual(shown, [['a=one']]);
  await world.run(10_000);
  assert.ok(shown.every((rows) => rows[0] === 'a=one'), JSON.stringify(shown));
});

test('queryOnce is what the server says, or an error', async () => {
  const { world, profile } = setup();
  const { client: c } = client(profile);
  const offline = c.queryOnce('todos').catch((e: TopGunError) => e.code);
  await world.run(1000);
  assert.equal(await offline, 'OFFLINE');
  c.getMap<Todo>('todos').set('a', { text: 'milk', rank: 1 });
  await world.run(1000);
  const page = c.queryOncePaged<Todo>('todos', { limit: 1 });
  await world.run(1000);
  assert.deepEqual(await page, { items: [{ text: 'milk', rank: 1, _key: 'a' }], hasMore: false });
});

test('what a subscriber throws harms nobody', async () => {
  const { world, profile } = setup();
  const { client: c, errors } = client(profile);
  const todos = c.getMap<Todo>('todos');
  let told = 0;
  todos.subscribe(() => {
    throw new Error('mine');
  });
  todos.subscribe((entries, changes) => {
    told++;
    assert.deepEqual([...entries], [['a', { text: 'milk', rank: 1 }]]);
    assert.deepEqual(changes, [{ key: 'a', value: { text: 'milk', rank: 1 }, before: undefined }]);
  });
  todos.set('a', { text: 'milk', rank: 1 });
  await world.run(1000);
  assert.equal(told, 1);
  assert.deepEqual(errors.map((e) => [e.code, e.message, (e.cause as Error).message]), [['CALLBACK', 'mine', 'mine']]);
});

test('who has unsubscribed hears nothing more', async () => {
  const { world, profile } = setup();
  const { client: c } = client(profile);
  const [todos, sets] = [c.getMap<Todo>('todos'), c.getORMap<string>('sets')];
  let told = 0;
  const tell = (): void => void told++;
  const q = c.query<Todo>('todos');
  const stops = [todos.subscribe(tell), sets.subscribe(tell), q.onDelta(tell), c.onStatus(tell)];
  todos.set('a', { text: 'milk', rank: 1 });
  sets.add('a', 'x');
  told = 0;
  stops.forEach((stop) => stop());
  await world.run(1000);
  assert.equal(told, 0);
});

test('a time to live hides a value here as everywhere', async () => {
  const { world, profile } = setup();
  const { client: c } = client(profile);
  const todos = c.getMap<Todo>('todos');
  todos.set('a', { text: 'milk', rank: 1 }, { ttlMs: 5000 });
  todos.set('b', { text: 'bread', rank: 2 }, 50_000);
  await world.run(5000);
  assert.deepEqual([...todos.keys()], ['a', 'b']);
  await world.run(2);
  assert.deepEqual([...todos.keys()], ['b']);
  assert.equal(todos.size, 1);
});

test('without locks a client still finds what another one has left', async () => {
  const { world, server, profile } = setup();
  profile.setOnline(false);
  const unlocked = (tab: Tab): TopGunClientOptions => ({ serverUrl: 'ws://server', environment: { ...tab.environment, locks: undefined } });
  const first = profile.open();
  new TopGunClient(unlocked(first)).getMap<Todo>('todos').set('a', { text: 'milk', rank: 1 });
  await world.run(100);
  first.kill();
  profile.setOnline(true);
  new TopGunClient(unlocked(profile.open()));
  await world.run(5000);
  assert.equal((server.mapOf('todos').get('a', world.now) as unknown as Todo).text, 'milk');
});
