import { decode, encode } from '@topgun/core';
import { changed, type Change } from './replica.js';
import type { Kind, Packed } from './state.js';

/**
 * A page holds the keys of one leaf of the Merkle tree, so that a map of any size is read in a bounded number of pieces,
 * one write rewrites little, and what the server sends of a leaf is stored at once. Its bytes are an array:
 * key, packed state, key, packed state …
 */
export function readPage<S>(kind: Kind<S>, bytes: Uint8Array | undefined): Map<string, S> {
  const states = new Map<string, S>();
  if (!bytes) return states;
  const flat = decode(bytes) as (string | Packed)[];
  for (let i = 0; i + 1 < flat.length; i += 2) states.set(flat[i] as string, kind.unpack(flat[i + 1] as Packed));
  return states;
}

/** What changes make of a page: its bytes, null when nothing is left, undefined when nothing has changed. */
export function changePage<S>(kind: Kind<S>, bytes: Uint8Array | undefined, changes: readonly Change<S>[]): Uint8Array | null | undefined {
  const states = readPage(kind, bytes);
  let dirty = false;
  for (const { key, forget, merge } of changes) {
    const before = states.get(key);
    const after = changed(kind, before, forget, merge);
    if (after === before) continue;
    dirty = true;
    if (after) states.set(key, after);
    else states.delete(key);
  }
  if (!dirty) return undefined;
  if (!states.size) return null;
  const flat: unknown[] = [];
  for (const [key, state] of states) flat.push(key, kind.pack(state));
  return encode(flat);
}
