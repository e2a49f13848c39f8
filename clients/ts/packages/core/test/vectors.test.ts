import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Clock,
  combine,
  compareTimestamps,
  CountError,
  formatTimestamp,
  hash,
  isExpired,
  LWWMap,
  lwwHash,
  merklePath,
  type MerkleTree,
  orHash,
  ORMap,
  orText,
  parseTimestamp,
  partitionOf,
  partitions,
  PNCounter,
  type CounterState,
  type LWWRecord,
  type ORRecord,
  type Timestamp,
} from '../src/index.js';
import { check } from './vectors.js';

test('hashes', () => {
  check<{ cases: { input: string; hash: number; hex: string; leaf: string }[] }>('hash.json', (f) => {
    for (const c of f.cases) {
      c.hash = hash(c.input);
      c.hex = c.hash.toString(16).padStart(8, '0');
      c.leaf = merklePath(c.input);
    }
  });
});

test('combined hashes', () => {
  check<{ cases: { hashes: number[]; combined: number }[] }>('combine.json', (f) => {
    for (const c of f.cases) c.combined = combine(c.hashes);
  });
});

test('partitions', () => {
  check<{ count: number; cases: { key: string; partition: number }[] }>('partitions.json', (f) => {
    f.count = partitions;
    for (const c of f.cases) c.partition = partitionOf(c.key);
  });
});

interface ClockStep {
  op: string;
  sys?: number;
  remote?: Timestamp;
  accepted?: boolean;
  clock: Timestamp;
}

interface ClockFile {
  compare: { a: Timestamp; b: Timestamp; order: number }[];
  text: { timestamp: Timestamp; text: string }[];
  parse: { text: string; timestamp: Timestamp | null }[];
  clocks: { nodeId: string; steps: ClockStep[] }[];
}

test('the clock', () => {
  check<ClockFile>('hlc.json', (f) => {
    for (const c of f.compare) c.order = Math.sign(compareTimestamps(c.a, c.b));
    for (const c of f.text) c.text = formatTimestamp(c.timestamp);
    for (const c of f.parse) c.timestamp = parseTimestamp(c.text) ?? null;
    for (const { nodeId, steps } of f.clocks) {
      let sys = 0;
      const clock = new Clock(nodeId, () => sys);
      for (const s of steps) {
        sys = s.sys ?? 0;
        if (s.op === 'now') assert.deepEqual(clock.now(), clock.last());
        else if (s.op === 'update') s.accepted = clock.update(s.remote!);
        else clock.resume(s.remote!);
        s.clock = clock.last();
      }
    }
  });
});

test('when a record is visible', () => {
  check<{ cases: { millis: number; ttlMs: number; now: number; visible: boolean }[] }>('ttl.json', (f) => {
    for (const c of f.cases) {
      c.visible = !isExpired({ timestamp: { millis: c.millis, counter: 0, nodeId: 'n' }, ttlMs: c.ttlMs }, c.now);
    }
  });
});

interface Node {
  path: string;
  hash: number;
  children?: { digit: string; hash: number }[];
  keys?: number;
}

/** The nodes of a tree that have keys below them, parents first. */
function nodesOf(tree: MerkleTree, path = '', h = tree.root()): Node[] {
  const children = [...tree.children(path)].map(([digit, hash]) => ({ digit, hash }));
  const node: Node = { path, hash: h };
  if (children.length) node.children = children;
  if (path.length === 3) node.keys = tree.keys(path);
  return [node, ...children.flatMap((c) => nodesOf(tree, path + c.digit, c.hash))];
}

interface LWWEntry {
  key: string;
  record: LWWRecord;
}

interface LWWFile {
  histories: { steps: (LWWEntry & { accepted: boolean; entryHash: number; root: number })[]; records: LWWEntry[]; tree: Node[] }[];
}

test('last-writer-wins maps', () => {
  check<LWWFile>('lww.json', (f) => {
    for (const h of f.histories) {
      const map = new LWWMap();
      h.records = [];
      for (const s of h.steps) {
        s.accepted = map.merge(s.key, s.record);
        s.entryHash = lwwHash(s.key, s.record.timestamp);
        s.root = map.tree.root();
        if (s.accepted) h.records = [...h.records.filter((e) => e.key !== s.key), { key: s.key, record: map.record(s.key)! }];
      }
      h.tree = nodesOf(map.tree);
    }
  });
});

interface ORFile {
  entries: { key: string; records: ORRecord[]; text: string; hash: number }[];
  histories: {
    steps: { key: string; add?: ORRecord; remove?: string; removedAt?: number; changed: boolean; entryHash: number; root: number }[];
    keys: { key: string; live: string[]; removed: { tag: string; removedAt: number }[] }[];
    tree: Node[];
  }[];
}

test('observed-remove maps', () => {
  check<ORFile>('or.json', (f) => {
    for (const e of f.entries) {
      const map = new ORMap();
      for (const r of e.records) map.merge(e.key, r);
      e.text = orText(e.key, map.records(e.key));
      e.hash = orHash(e.key, map.records(e.key));
    }
    for (const h of f.histories) {
      const map = new ORMap();
      for (const s of h.steps) {
        s.changed = s.add ? map.merge(s.key, s.add) : map.removeTag(s.key, s.remove!, s.removedAt!);
        s.entryHash = orHash(s.key, map.records(s.key));
        s.root = map.tree.root();
      }
      h.keys = [...map.keys()].map((key) => ({
        key,
        live: map.records(key).map((r) => r.tag),
        removed: map.tombstones(key).map(([tag, removedAt]) => ({ tag, removedAt })),
      }));
      h.tree = nodesOf(map.tree);
    }
  });
});

interface CounterFile {
  merges: { local: CounterState; remote: CounterState; merged: CounterState; changed: boolean; value: number }[];
  refused: (CounterState & { node: string })[];
}

test('counters', () => {
  check<CounterFile>('counter.json', (f) => {
    for (const m of f.merges) {
      const counter = new PNCounter();
      counter.merge(m.local);
      m.changed = counter.merge(m.remote);
      m.merged = counter.state();
      m.value = counter.value;
    }
    for (const r of f.refused) {
      assert.throws(
        () => new PNCounter().merge(r),
        (e) => e instanceof CountError && (r.node = e.nodeId) !== undefined,
      );
    }
  });
});
