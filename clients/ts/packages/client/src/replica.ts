import { merkleLeaf, MerkleTree } from '@topgun/core';
import type { Flusher } from './flush.js';
import type { Kind } from './state.js';

/** One change of a key: first an id is forgotten, then a state merged. */
export interface Change<S> {
  readonly key: string;
  readonly forget?: string | null | undefined;
  readonly merge?: S | undefined;
}

/** Somebody who wants to know which keys have changed. */
export interface Watcher<S> {
  /** A key has changed; before is what it held. What is said here is not yet told to the application. */
  changed(key: string, before: S | undefined): void;
  /** Tells the application. */
  readonly flush: () => void;
}

/** The replica of a map in memory: everything that is known of it. */
export class Replica<S> {
  readonly tree = new MerkleTree();
  readonly states = new Map<string, S>();
  /** Whether what is stored has been read. */
  loaded = false;
  /** What is stored has been read. */
  load!: () => void;
  /** Resolves then. */
  readonly whenLoaded = new Promise<void>((resolve) => {
    this.load = () => {
      this.loaded = true;
      resolve();
    };
  });
  /** Whether it has once been found equal to the server's map. */
  complete = false;
  readonly #leaves = new Map<number, Set<string>>();
  readonly #watchers = new Set<Watcher<S>>();

  constructor(
    readonly name: string,
    readonly kind: Kind<S>,
    private readonly flusher: Flusher,
  ) {}

  watch(watcher: Watcher<S>): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The keys of a leaf of the tree, 0 … 4095. */
  keys(leaf: number): Iterable<string> {
    return this.#leaves.get(leaf) ?? [];
  }

  /** Applies a change and returns whether it changed anything. Urgent ones are told at once. */
  apply({ key, forget, merge }: Change<S>, urgent: boolean): boolean {
    const before = this.states.get(key);
    const after = changed(this.kind, before, forget, merge);
    if (after === before) return false;
    const leaf = merkleLeaf(key);
    const keys = this.#leaves.get(leaf);
    if (after) {
      this.states.set(key, after);
      if (!before) keys ? keys.add(key) : this.#leaves.set(leaf, new Set([key]));
    } else {
      this.states.delete(key);
      keys!.delete(key);
    }
    const hashOf = (s: S | undefined): number => (s ? this.kind.hash(key, s) : 0);
    this.tree.update(key, hashOf(before), hashOf(after), +!!after - +!!before);
    for (const w of this.#watchers) {
      w.changed(key, before);
      this.flusher.add(w.flush, urgent);
    }
    return true;
  }
}

/** What a change makes of a state. */
export function changed<S>(kind: Kind<S>, held: S | undefined, forget: string | null | undefined, merge: S | undefined): S | undefined {
  const rest = forget ? kind.forget(held, forget) : held;
  return merge ? kind.merge(rest, merge) : rest;
}
