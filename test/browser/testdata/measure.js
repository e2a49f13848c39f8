// What TestMeasure asks of the client in a page. Each function is one figure; times are milliseconds.
import { TopGunClient } from '/topgun.js';
const url = `ws://${location.host}/ws`;
const quiet = () => new Promise((resolve) => setTimeout(resolve));

/** From nothing to a replica that is the server's map. */
export async function initialSync() {
  const client = new TopGunClient({ serverUrl: url });
  await client.start();
  await new Promise((resolve) => client.onStatus((s) => s.connection === 'connected' && resolve()));
  const map = client.getMap('records');
  const began = performance.now();
  await map.sync();
  const synced = performance.now();
  const durable = await client.stored();
  const stored = performance.now();
  return { synced: synced - began, stored: stored - began, durable };
}

/** From nothing in memory to the first page of a sorted query, out of what this browser has kept. */
export async function start() {
  const began = performance.now();
  const client = new TopGunClient();
  const map = client.getMap('records');
  let told;
  const first = new Promise((resolve) => (told = resolve));
  const stop = client.query('records', { sort: { rank: 'asc' }, limit: 50 }).subscribe((rows) => rows.length === 50 && told());
  await map.loaded;
  const loaded = performance.now();
  await first;
  const shown = performance.now();
  stop();
  return { loaded: loaded - began, firstPage: shown - began };
}

let client;
let map;
let query;
let keys;

/** Makes everything ready for writes. */
export async function open() {
  client = new TopGunClient({ serverUrl: url });
  map = client.getMap('records');
  await map.sync();
  query = client.query('records', { where: { group: 7 }, sort: { rank: 'asc' }, limit: 50 });
  query.subscribe(() => {});
  await query.whenSettled();
  keys = query.getSnapshot().map((row) => row._key);
  return { records: map.size, rows: keys.length };
}

/** From the call of set to the call of who listens to the map and to a live query. */
export async function writes(count) {
  const [call, toMap, toQuery] = [[], [], []];
  let began = 0;
  map.subscribe(() => began && toMap.push(performance.now() - began));
  query.onDelta(() => began && toQuery.push(performance.now() - began));
  for (let i = 0; i < count; i++) {
    const key = keys[i % keys.length];
    const value = { ...map.get(key), note: i };
    await quiet();
    began = performance.now();
    map.set(key, value);
    call.push(performance.now() - began);
    await quiet();
    began = 0;
  }
  return { call: figures(call), toMap: figures(toMap), toQuery: figures(toQuery) };
}

function figures(list) {
  list.sort((a, b) => a - b);
  return { n: list.length, p50: list[list.length >> 1], p99: list[Math.floor(list.length * 0.99)], max: list.at(-1) };
}
