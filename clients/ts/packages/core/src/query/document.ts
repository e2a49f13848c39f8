import type { CounterState } from '../counter.js';
import type { ORRecord } from '../record.js';
import type { Value } from '../value.js';

/** What a query sees of a record: the value of its row, and what attributes are looked up in. */
export interface Document {
  readonly value: Value;
  readonly full: Value;
}

/**
 * What a query sees of a key of an observed-remove map, given its visible records sorted by tag: its values by their
 * tags, and as the list `_values`; undefined without any.
 */
export function setDocument(records: readonly ORRecord[]): Document | undefined {
  if (!records.length) return undefined;
  const value = Object.fromEntries(records.map((r) => [r.tag, r.value]));
  return { value, full: { _values: records.map((r) => r.value), ...value } };
}

/** What a query sees of a counter. */
export function counterDocument(state: CounterState): Document {
  const total = (counts: CounterState['positive']) => {
    let sum = 0;
    for (const n of Object.values(counts)) sum += n;
    return Math.min(sum, Number.MAX_VALUE);
  };
  const [positive, negative] = [total(state.positive), total(state.negative)];
  const value = { value: positive - negative, positive, negative };
  return { value, full: value };
}
