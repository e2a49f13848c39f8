import { canonical } from '../canonical.js';
import { decode } from '../decode.js';
import { encodeNormal } from '../encode.js';
import type { Value } from '../value.js';
import { compareValues } from './order.js';
import { attributeOf } from './path.js';
import type { Aggregation, Group, Grouping } from './query.js';
import { sha256 } from './sha256.js';
import { Sum } from './sum.js';

/** Groups records by the values of attributes and aggregates them; handed to plan where queries may be grouped. */
export function groupRows(by: readonly string[], aggregations: readonly Aggregation[]): Grouping {
  return new Groups(by, aggregations);
}

class Groups implements Grouping {
  /** By the normal forms of the values that they are grouped by. */
  readonly #groups = new Map<string, Records>();

  constructor(
    private readonly by: readonly string[],
    private readonly aggregations: readonly Aggregation[],
  ) {}

  put(key: string, document: Value, sign: 1 | -1): Group {
    const forms = this.by.map((f) => encodeNormal(attributeOf(key, document, f)));
    const id = forms.join('|');
    let group = this.#groups.get(id);
    if (!group) {
      group = new Records(forms, this.by, this.aggregations);
      this.#groups.set(id, group);
    }
    group.put(key, document, sign);
    if (!group.size) this.#groups.delete(id);
    return group;
  }
}

/** The records of a group. */
class Records implements Group {
  readonly key: string;
  readonly #by: readonly [string, Value][];
  readonly #documents = new Map<string, Value>();
  readonly #aggregates = new Map<string, Aggregate>();

  constructor(forms: readonly Uint8Array[], by: readonly string[], aggregations: readonly Aggregation[]) {
    const values = forms.map((f) => decode(f));
    this.key = values.map((v, i) => nameOf(v, forms[i]!)).join('|');
    this.#by = by.map((f, i) => [f, values[i]!]);
    for (const { func, field } of aggregations) if (func !== 'count') this.#aggregates.set(`__${func}_${field}`, new Aggregate(func, field!));
  }

  get size(): number {
    return this.#documents.size;
  }

  put(key: string, document: Value, sign: 1 | -1): void {
    if (sign > 0) this.#documents.set(key, document);
    else this.#documents.delete(key);
    for (const a of this.#aggregates.values()) a.put(key, document, sign);
  }

  value(): Value | undefined {
    if (!this.size) return undefined;
    const fields: [string, Value][] = [['__key', this.key], ['__count', this.size], ...this.#by];
    for (const [name, a] of this.#aggregates) fields.push([name, a.value(this.#documents)]);
    return Object.fromEntries(fields);
  }
}

/** Sum and average are of numbers; least and greatest are by the order of values. */
class Aggregate {
  readonly #sum = new Sum();
  /** The least or greatest value; undefined when it has to be looked for, null when there is none. */
  #edge: Value | undefined = null;

  constructor(
    readonly func: 'sum' | 'min' | 'max' | 'avg',
    readonly field: string,
  ) {}

  put(key: string, document: Value, sign: 1 | -1): void {
    const v = attributeOf(key, document, this.field) ?? null;
    if (v === null) return;
    if (typeof v === 'number' || typeof v === 'bigint') this.#sum.put(v, sign);
    if (this.#edge === undefined) return;
    if (sign > 0) this.#edge = this.#further(v, this.#edge);
    else if (compareValues(v, this.#edge) === 0) this.#edge = undefined;
  }

  #further(v: Value, edge: Value): Value {
    if (edge === null) return v;
    const c = compareValues(v, edge);
    return (this.func === 'min' ? c < 0 : c > 0) ? v : edge;
  }

  value(documents: ReadonlyMap<string, Value>): Value {
    if (this.func === 'sum') return this.#sum.value();
    if (this.func === 'avg') return this.#sum.count ? this.#sum.value() / this.#sum.count : null;
    if (this.#edge === undefined) {
      let edge: Value = null;
      for (const [key, document] of documents) {
        const v = attributeOf(key, document, this.field) ?? null;
        if (v !== null) edge = this.#further(v, edge);
      }
      this.#edge = edge;
    }
    return decode(encodeNormal(this.#edge));
  }
}

/** A value in the key of its group. No two values have the same: a text stands as it is unless it could be another value. */
function nameOf(v: Value, form: Uint8Array): string {
  if (typeof v === 'string') return isPlain(v) ? v : JSON.stringify(v);
  if (typeof v !== 'object' || v === null) return String(v);
  return `${canonical(v)}#${sha256(form).slice(0, 16)}`;
}

/** Whether a text is not taken for anything else. */
function isPlain(s: string): boolean {
  return !/^$|[|]|^["[{]|^(null|true|false|NaN|-?Infinity)$/.test(s) && !isNumber(s);
}

/** Digits, and those of hexadecimal numbers, that an underscore may separate. */
const digits = '\\d+(?:_\\d+)*';
const hexDigits = digits.replaceAll('\\d', '[\\da-f]');
const decimal = new RegExp(`^-?(?:${digits}(?:\\.(?:${digits})?)?|\\.${digits})(?:e[+-]?${digits})?$`, 'i');
const hex = new RegExp(`^-?0x_?(?:(${hexDigits})(?:\\.(${hexDigits})?)?|\\.(${hexDigits}))p([+-]?${digits})$`, 'i');

/** Whether a text that begins with a digit or - is read as a number, in the forms of Go, and one that is not too large. */
function isNumber(s: string): boolean {
  if (!/^[-\d]/.test(s)) return false;
  const plain = s.replaceAll('_', '');
  if (decimal.test(s)) return Number.isFinite(Number(plain));
  const m = hex.exec(s);
  if (!m) return /^-inf(inity)?$/i.test(s);
  const [, whole = '', fraction = m[3] ?? '', , exponent] = m.map((part) => part?.replaceAll('_', ''));
  return Number.isFinite(parseInt(whole + fraction, 16) * 2 ** (Number(exponent) - 4 * fraction.length));
}
