import { compareText } from './text.js';

/** What each node has added and subtracted in total, as it is sent: finite numbers that are not negative. */
export interface CounterState {
  readonly positive: { readonly [nodeId: string]: number };
  readonly negative: { readonly [nodeId: string]: number };
}

/** A counter that any node may increase and decrease while it is on its own. A count of 0 is the same as none. */
export class PNCounter {
  readonly #positive = new Map<string, number>();
  readonly #negative = new Map<string, number>();

  /** All that was added less all that was subtracted; finite. */
  get value(): number {
    return total(this.#positive) - total(this.#negative);
  }

  /** Adds a finite number, negative to subtract, on behalf of a node. */
  add(nodeId: string, delta: number): void {
    const counts = delta < 0 ? this.#negative : this.#positive;
    const sum = (counts.get(nodeId) ?? 0) + Math.abs(delta);
    if (!isCount(sum)) throw new RangeError(`a counter cannot be changed by ${delta}`);
    if (sum > 0) counts.set(nodeId, sum);
  }

  /**
   * Merges another state: for each node the greater of both counts. Returns whether anything changed. A state with a
   * count that is none is refused as a whole with a RangeError that names the node.
   */
  merge(state: CounterState): boolean {
    const sides = [
      [this.#positive, Object.entries(state.positive)],
      [this.#negative, Object.entries(state.negative)],
    ] as const;
    for (const [, remote] of sides) {
      for (const [node, n] of remote) if (!isCount(n)) throw new CountError(node, n);
    }
    let changed = false;
    for (const [counts, remote] of sides) {
      for (const [node, n] of remote) {
        if (n <= (counts.get(node) ?? 0)) continue;
        counts.set(node, n);
        changed = true;
      }
    }
    return changed;
  }

  /** The state, nodes in byte order. */
  state(): CounterState {
    return { positive: Object.fromEntries(sorted(this.#positive)), negative: Object.fromEntries(sorted(this.#negative)) };
  }
}

/** A count that is negative, not finite or not a number. */
export class CountError extends RangeError {
  override readonly name = 'CountError';

  constructor(
    readonly nodeId: string,
    readonly count: unknown,
  ) {
    super(`the count ${String(count)} of node ${JSON.stringify(nodeId)} is not a finite number from 0 on`);
  }
}

function isCount(n: unknown): boolean {
  return typeof n === 'number' && n >= 0 && n <= Number.MAX_VALUE;
}

function sorted(counts: Map<string, number>): [string, number][] {
  return [...counts].sort((a, b) => compareText(a[0], b[0]));
}

/** The sum of all counts, added in one order everywhere, because fractions round. */
function total(counts: Map<string, number>): number {
  const sum = sorted(counts).reduce((s, [, n]) => s + n, 0);
  return Math.min(sum, Number.MAX_VALUE);
}
