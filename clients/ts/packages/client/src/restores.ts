import { compareTimestamps, decode, encode, isLWWRecord, type ServerMessage } from '@topgun/core';
import type { Feature, Parts } from './feature.js';
import { Op } from './oplog.js';
import type { LWWReplica } from './replicas.js';
import { lww, type LWWState } from './state.js';
import { below } from './syncs.js';

/**
 * Notices that the server continues another history than before: it was restored from a backup, and may lack what it has
 * acknowledged. Everything that an LWW map holds is then in doubt until both are equal, and what the server turns out to
 * lack on the way is written to it again. OR maps do so always.
 */
export class Restores implements Feature {
  readonly #p: Parts;
  /** The history with which a map was last found equal, or first compared. */
  readonly #known = new Map<string, number>();
  readonly #doubted = new Set<string>();
  /** Whether what is stored of #known has been read. */
  #ready = false;

  constructor(parts: Parts) {
    this.#p = parts;
  }

  async start(): Promise<void> {
    for (const [key, bytes] of await this.#p.env.storage.list(['h'], 100_000)) {
      const map = key[1] as string;
      this.#known.set(map, decode(bytes) as number);
    }
    this.#ready = true;
  }

  receive(m: ServerMessage): void {
    switch (m.type) {
      case 'SYNC_RESP_ROOT': {
        const { mapName, epoch, rootHash } = m.payload;
        const r = this.#p.replicas.find(lww, mapName);
        if (r && epoch) this.#root(r, epoch, rootHash);
        return;
      }
      case 'SYNC_RESP_BUCKETS': {
        const { mapName, path, buckets } = m.payload;
        const r = this.#doubtful(mapName);
        if (!r) return;
        for (const digit of r.tree.children(path).keys()) {
          if (!(digit in buckets)) this.#offer(r, below(r, path + digit));
        }
        return;
      }
      case 'SYNC_RESP_LEAF': {
        const { mapName, path, records } = m.payload;
        const r = this.#doubtful(mapName);
        if (!r) return;
        const theirs = new Map(records.map(({ key, record }) => [key, record]));
        const lacking = below(r, path).filter((key) => {
          const t = theirs.get(key);
          return !isLWWRecord(t) || compareTimestamps(r.states.get(key)!.timestamp, t.timestamp) > 0;
        });
        return this.#offer(r, lacking);
      }
    }
  }

  #doubtful(map: string): LWWReplica | undefined {
    return this.#doubted.has(map) ? this.#p.replicas.find(lww, map) : undefined;
  }

  #root(r: LWWReplica, epoch: number, root: number): void {
    const known = this.#known.get(r.name);
    if ((known !== undefined || !this.#ready) && known !== epoch && root !== r.tree.root()) {
      this.#doubted.add(r.name);
      return;
    }
    this.#doubted.delete(r.name);
    if (known === epoch) return;
    this.#known.set(r.name, epoch);
    this.#p.disk.set(['h', r.name], encode(epoch));
  }

  /** Writes records again, as far as there is room; the turn of the others comes with the next round. */
  #offer(r: LWWReplica, keys: readonly string[]): void {
    const { log, admit, write } = this.#p;
    const ops: Op[] = [];
    let bytes = 0;
    for (const key of keys) {
      if (log.waits(r.name, key)) continue;
      const state = r.states.get(key)!;
      const size = key.length + encode(state.value).length;
      try {
        admit(ops.length + 1, bytes + size);
      } catch {
        break;
      }
      bytes += size;
      ops.push(new Op<LWWState>(lww, r.name, key, state, size) as Op);
    }
    if (ops.length) write(ops);
  }
}

