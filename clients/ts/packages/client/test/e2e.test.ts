// The client against the real server, built from this repository: what the model of the server could have wrong.
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decode, type ServerMessage } from '@topgun/core';
import { platform } from '../src/browser.js';
import { MemoryStorage, query, TopGunClient, type Environment, type QueryHandle, type Status, type TopGunClientOptions, type TopGunError } from '../src/index.js';

// Bundled tests lie in .build/test/client/test.
const root = fileURLToPath(new URL('../../../../../..', import.meta.url));
const dir = mkdtempSync(`${tmpdir()}/topgun-ts-`);
const binary = `${dir}/topgun`;

interface Todo {
  readonly text: string;
  readonly rank: number;
}

/** A running server. */
class Process {
  readonly #child: ChildProcess;

  private constructor(
    child: ChildProcess,
    readonly port: number,
  ) {
    this.#child = child;
  }

  static start(env: Record<string, string>, port = 0, data = mkdtempSync(`${dir}/data-`)): Promise<Process> {
    const child = spawn(binary, ['serve', '--port', String(port), '--data-dir', data], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    return new Promise((resolve, reject) => {
      let log = '';
      child.stderr!.on('data', (b: Buffer) => (log += b.toString()));
      child.stdout!.on('data', (b: Buffer) => {
        const [, found] = /PORT=(\d+)/.exec(b.toString()) ?? [];
        if (found) resolve(new Process(child, Number(found)));
      });
      child.on('exit', (code) => {
        running.delete(child);
        reject(new Error(`the server ended with ${code}: ${log}`));
      });
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  /** Ends it the hard way. */
  kill(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on('exit', () => resolve());
      this.#child.kill('SIGKILL');
    });
  }
}

const running = new Set<ChildProcess>();
const clients = new Set<TopGunClient>();

function connect(url: string, options: TopGunClientOptions = {}): TopGunClient {
  const c = new TopGunClient({ serverUrl: url, storage: 'memory', backoff: { firstMs: 50, greatestMs: 500 }, ...options });
  clients.add(c);
  return c;
}

/** Resolves when the status is as wanted. */
function status(c: TopGunClient, wanted: (s: Status) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop: (() => void)[] = [];
    stop.push(
      c.onStatus((s) => {
        if (!wanted(s)) return;
        queueMicrotask(() => stop[0]!());
        resolve();
      }),
    );
  });
}

/** Resolves when a result is as wanted. */
function result<T>(q: QueryHandle<T>, wanted: (keys: string[]) => boolean): Promise<void> {
  return new Promise((resolve) => {
    q.subscribe((rows) => {
      if (wanted(rows.map((r) => r._key))) resolve();
    });
  });
}

const skip = spawnSync('go', ['version']).status === 0 ? false : 'there is no Go to build the server with';

before(() => {
  if (skip) return;
  const { status, stderr } = spawnSync('go', ['build', '-o', binary, './cmd/topgun'], { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});

after(async () => {
  await Promise.all([...clients].map((c) => c.close()));
  for (const child of running) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

test('two clients share maps, sets, counters, topics and queries', { skip }, async () => {
  const server = await Process.start({ TOPGUN_NO_AUTH: '1' });
  const [a, b] = [connect(server.url), connect(server.url)];
  const [ta, tb] = [a.getMap<Todo>('todos'), b.getMap<Todo>('todos')];
  const writes = [1, 2, 3, 4].map((rank) => ta.set(`t${rank}`, { text: `todo ${rank}`, rank }));
  assert.deepEqual(await Promise.all(writes.map((w) => w.done())), Array(4).fill('PERSISTED'));
  await ta.remove('t4').done();
  await tb.sync();
  assert.deepEqual([...tb.keys()].sort(), ['t1', 't2', 't3']);

  const [sa, sb] = [a.getORMap<string>('tags'), b.getORMap<string>('tags')];
  await Promise.all([sa.add('t1', 'red').done(), sa.add('t1', 'blue').done(), sb.add('t1', 'green').done()]);
  await sa.sync();
  await sa.remove('t1', 'red').done();
  await sb.sync();
  assert.deepEqual(sb.get('t1').sort(), ['blue', 'green']);

  const [ca, cb] = [a.getPNCounter('hits'), b.getPNCounter('hits')];
  ca.addAndGet(5);
  cb.decrement();
  await new Promise<void>((resolve) => void ca.subscribe((v) => v === 4 && resolve()));
  await new Promise<void>((resolve) => void cb.subscribe((v) => v === 4 && resolve()));

  // A third client, which does not hold the map: the server answers, also with what comes later.
  const c = connect(server.url);
  const q = c.query<Todo>('todos', { where: { rank: { $gte: 2 } }, sort: { rank: 'desc' }, limit: 2 });
  await result(q, (keys) => keys.join() === 't3,t2');
  tb.set('t9', { text: 'nine', rank: 9 });
  await result(q, (keys) => keys.join() === 't9,t3');
  assert.deepEqual(await c.queryOnce<Todo>('todos', { sort: { rank: 'asc' }, limit: 1 }), [{ text: 'todo 1', rank: 1, _key: 't1' }]);

  const heard = new Promise((resolve) => void b.topic<string>('chat').subscribe(resolve));
  // Nobody says when a subscription has arrived; what is asked after it and answered shows that it has.
  await b.queryOnce('todos', { limit: 1 });
  a.topic('chat').publish('hello');
  assert.equal(await heard, 'hello');
});

test('pages and groups are what the builder says, live too', { skip }, async () => {
  const server = await Process.start({ TOPGUN_NO_AUTH: '1' });
  const author = connect(server.url);
  const todos = author.getMap<Todo>('todos');
  await Promise.all([1, 2, 3, 4, 5].map((rank) => todos.set(`t${rank}`, { text: rank % 2 ? 'odd' : 'even', rank }).done()));
  const c = connect(server.url);
  await status(c, (s) => s.connection === 'connected');

  // Each page begins behind the one before it.
  const pages: string[][] = [];
  let selection = query<Todo>().sortBy('rank').limit(2);
  for (;;) {
    const { items, cursor, hasMore } = await c.queryOncePaged('todos', selection.build());
    pages.push(items.map((row) => row._key));
    assert.equal(hasMore, cursor !== undefined);
    if (cursor === undefined) break;
    selection = selection.after(cursor);
  }
  assert.deepEqual(pages, [['t1', 't2'], ['t3', 't4'], ['t5']]);

  // A live query grows by pages of its own, and says where another one would go on.
  const q = c.query('todos', query<Todo>().sortBy('rank').limit(2).build());
  q.subscribe(() => undefined);
  await q.whenSettled();
  const { nextCursor } = q.getPaginationInfo();
  const behind = c.query('todos', query<Todo>().sortBy('rank').limit(2).after(nextCursor!).build());
  await result(behind, (keys) => keys.join() === 't3,t4');
  await q.loadMore();
  await q.loadMore();
  assert.deepEqual(q.getSnapshot().map((row) => row._key), ['t1', 't2', 't3', 't4', 't5']);
  assert.deepEqual(q.getPaginationInfo(), { hasMore: false, cursorStatus: 'none' });

  const groups = c.query('todos', query<Todo>().groupBy('text').sum('rank').sortBy('__sum_rank', 'desc').build());
  await result(groups, (keys) => keys.join() === 'odd,even');
  assert.deepEqual(groups.getSnapshot().map((g) => [g.text, g.__count, g.__sum_rank]), [['odd', 3, 9], ['even', 2, 6]]);
  todos.set('t8', { text: 'even', rank: 8 });
  await result(groups, (keys) => keys.join() === 'even,odd');
});

test('what the server refuses is taken back, by name', { skip }, async () => {
  const server = await Process.start({ TOPGUN_NO_AUTH: '1' });
  const c = connect(server.url);
  const m = c.getMap<Todo>('_topgun_mine');
  const error = await m.set('a', { text: '', rank: 1 }).done().catch((e: TopGunError) => e);
  assert.ok(error instanceof Error);
  assert.equal(error.code, 'REFUSED');
  assert.equal(error.reason?.number, 403);
  assert.equal(error.operation?.map, '_topgun_mine');
  assert.equal(m.get('a'), undefined);
  assert.equal(c.status.pending, 0);
});

test('a server that is killed and comes back has all that was acknowledged, and gets the rest', { skip }, async () => {
  const data = mkdtempSync(`${dir}/data-`);
  let server = await Process.start({ TOPGUN_NO_AUTH: '1' }, 0, data);
  const c = connect(server.url);
  const m = c.getMap<Todo>('todos');
  const acknowledged = new Set<string>();
  const writes: Promise<unknown>[] = [];
  const write = (key: string): void => {
    writes.push(
      m
        .set(key, { text: key, rank: writes.length })
        .done()
        .then(() => acknowledged.add(key)),
    );
  };
  for (let i = 0; i < 200; i++) write(`a${i}`);
  await writes[50];
  await server.kill();
  const before = new Set(acknowledged);
  for (let i = 0; i < 200; i++) write(`b${i}`);
  server = await Process.start({ TOPGUN_NO_AUTH: '1' }, server.port, data);
  const fresh = connect(server.url);
  const other = fresh.getMap<Todo>('todos');
  await Promise.all(writes);
  await other.sync();
  assert.equal(other.size, 400);
  for (const key of before) assert.ok(other.has(key), `${key} was acknowledged`);
});

test('a server that was restored from a backup is given again what it lacks', { skip }, async () => {
  let server = await Process.start({ TOPGUN_NO_AUTH: '1' });
  const memory = new MemoryStorage();
  const first = connect(server.url, { storage: memory });
  const m = first.getMap<number>('m');
  for (let i = 0; i < 40; i++) m.set(`k${i}`, i);
  await m.sync();
  await status(first, (s) => s.pending === 0);
  const backup = `${dir}/backup.tgsnap`;
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/admin/backup`, { method: 'POST' });
  writeFileSync(backup, new Uint8Array(await answer.arrayBuffer()));
  // What the backup lacks: new keys, later values, removals.
  for (let i = 20; i < 300; i++) m.set(`k${i}`, -i);
  for (let i = 0; i < 10; i++) m.remove(`k${i}`);
  await status(first, (s) => s.pending === 0);
  await m.sync();
  await first.close();
  await server.kill();

  const restored = mkdtempSync(`${dir}/restored-`);
  const { status: code, stderr } = spawnSync(binary, ['restore', backup, '--data-dir', restored], { encoding: 'utf8' });
  assert.equal(code, 0, stderr);
  server = await Process.start({ TOPGUN_NO_AUTH: '1' }, server.port, restored);
  // Another page with what the first one has stored.
  const second = connect(server.url, { storage: memory });
  const again = second.getMap<number>('m');
  await again.sync();
  await status(second, (s) => s.pending === 0 && s.syncing === 0);
  const fresh = connect(server.url).getMap<number>('m');
  await fresh.sync();
  const want = new Map<string, number>();
  for (let i = 10; i < 300; i++) want.set(`k${i}`, i < 20 ? i : -i);
  for (const map of [again, fresh]) assert.deepEqual(new Map([...map.entries()].sort()), new Map([...want.entries()].sort()));
});

/** An environment whose connections can be cut, and which keeps what comes over them about queries. */
function cuttable(): { environment: Partial<Environment>; heard: ServerMessage[]; cut(): void } {
  const real = platform(new MemoryStorage());
  const heard: ServerMessage[] = [];
  let cut = (): void => undefined;
  const environment: Partial<Environment> = {
    socket: (url, events) => {
      const socket = real.socket(url, {
        ...events,
        message: (frame) => {
          const m = decode(frame) as unknown as ServerMessage;
          if (m.type.startsWith('QUERY_')) heard.push(m);
          events.message(frame);
        },
      });
      cut = () => {
        socket.close();
        events.closed('cut');
      };
      return socket;
    },
  };
  return { environment, heard, cut: () => cut() };
}

test('a query that comes back is sent what it has missed, and no more', { skip }, async () => {
  const data = mkdtempSync(`${dir}/resume-`);
  const server = await Process.start({ TOPGUN_NO_AUTH: '1' }, 0, data);
  const author = connect(server.url);
  const todos = author.getMap<Todo>('todos');
  await Promise.all(Array.from({ length: 50 }, (_, i) => todos.set(`k${String(i).padStart(2, '0')}`, { text: 't', rank: i }).done()));
  const { environment, heard, cut } = cuttable();
  const c = connect(server.url, { environment });
  const q = c.query('todos', query<Todo>().sortBy('rank', 'desc').limit(20).build());
  q.subscribe(() => undefined);
  await q.whenSettled();
  await q.loadMore();
  const [first] = q.getSnapshot();
  assert.equal(q.getSnapshot().length, 40);
  heard.length = 0;
  cut();
  await Promise.all([todos.remove('k48').done(), todos.set('k01', { text: 'up', rank: 100 }).done()]);
  await result(q, (keys) => keys.length === 40 && keys[0] === 'k01' && !keys.includes('k48'));
  const told = heard.map((m) => (m.type === 'QUERY_RESP' ? [m.payload.resumed, m.payload.results.length] : m.type === 'QUERY_UPDATE' ? [m.payload.changeType, m.payload.key] : m));
  assert.deepEqual(told[0], [true, 0]);
  // At most one row for each place that has moved: what came, what went, and what stands at the end now.
  assert.ok(told.length <= 5, JSON.stringify(told));
  assert.equal(q.getSnapshot()[1], first);
  // Another life of the server knows nothing of those positions.
  heard.length = 0;
  await server.kill();
  await Process.start({ TOPGUN_NO_AUTH: '1' }, server.port, data);
  await status(author, (s) => s.connection === 'connected');
  todos.remove('k01');
  await result(q, (keys) => keys[0] === 'k49');
  assert.ok(heard[0]?.type === 'QUERY_RESP' && !heard[0].payload.resumed && heard[0].payload.results.length === 40);
});

test('a clock that is an hour ahead does not win for ever', { skip }, async () => {
  const server = await Process.start({ TOPGUN_NO_AUTH: '1' });
  const ahead = connect(server.url, { environment: { now: () => Date.now() + 3_600_000 } });
  const right = connect(server.url);
  const [ma, mr] = [ahead.getMap<Todo>('todos'), right.getMap<Todo>('todos')];
  await ma.set('a', { text: 'ahead', rank: 1 }).done();
  await ma.sync();
  assert.ok(ma.getRecord('a')!.timestamp.millis < Date.now() + 60_000, 'the server has given it another timestamp');
  await mr.sync();
  await mr.set('a', { text: 'right', rank: 2 }).done();
  await ma.sync();
  assert.equal(ma.get('a')?.text, 'right');
  await status(ahead, (s) => s.syncing === 0 && s.pending === 0);
});

test('a token opens the door, a wrong one does not', { skip }, async () => {
  const server = await Process.start({ JWT_SECRET: 'a-secret-of-some-length-for-tests' });
  const encode = (o: unknown): string => Buffer.from(JSON.stringify(o)).toString('base64url');
  const token = (secret: string): string => {
    const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: 'ada', exp: Math.floor(Date.now() / 1000) + 600 })}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  };
  const c = connect(server.url);
  const w = c.getMap<Todo>('todos').set('a', { text: 'milk', rank: 1 });
  await status(c, (s) => s.connection === 'unauthorized');
  assert.equal(w.state, 'stored');
  c.setAuthToken(token('wrong'));
  await status(c, (s) => s.lastError?.reason?.number === 401 && s.connection === 'unauthorized');
  c.setAuthToken(token('a-secret-of-some-length-for-tests'));
  assert.equal(await w.done(), 'PERSISTED');
  assert.equal(c.status.connection, 'connected');
});
