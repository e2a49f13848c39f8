import { equal, isFields, type Value } from '../value.js';
import { compareText } from '../text.js';
import { attributeOf, lookup } from './path.js';
import { fold, like } from './text.js';

/** The operators that compare an attribute with a value. */
export type Comparison =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'like'
  | 'regex'
  | 'in'
  | 'between'
  | 'isNull'
  | 'isNotNull'
  | 'contains'
  | 'containsAll'
  | 'containsAny'
  | 'startsWith'
  | 'endsWith';

/** A condition as it is sent. */
export type Predicate =
  | { readonly op: 'and' | 'or' | 'not'; readonly children?: readonly Predicate[] | null }
  | { readonly op: Comparison; readonly attribute: string; readonly value?: unknown; readonly valueRef?: string | null };

/** Whether a condition holds for a record, given its key and value. */
export type Test = (key: string, value: unknown) => boolean;

/**
 * Why a query cannot be evaluated: SYNTAX when it is none, LIMIT when it is too large, UNSUPPORTED for an operator that
 * is unknown here.
 */
export class QueryError extends Error {
  override readonly name = 'QueryError';

  constructor(
    readonly code: 'SYNTAX' | 'LIMIT' | 'UNSUPPORTED',
    /** The place in the query, such as `predicate.children[1].value`. */
    readonly path: string,
    readonly detail: string,
  ) {
    super(`${path}: ${detail}`);
  }
}

const maxNodes = 1024;
const maxLevels = 64;

/** What conditions need besides themselves. */
export interface Environment {
  /** What `auth.` refers to; nothing without it, so that comparisons with it are false. */
  readonly auth?: Value;
  /**
   * Makes a function that tells whether a text matches a regular expression of RE2 syntax: `compileRegex`. Without it a
   * condition with a regex is refused as UNSUPPORTED, and the code for it need not be loaded.
   */
  readonly regex?: (pattern: string, path: string) => (text: string) => boolean;
}

/** Prepares a condition. A QueryError says what is wrong with it. */
export function compilePredicate(predicate: unknown, env: Environment = {}): Test {
  const compiler = new Compiler(env);
  const test = compiler.node(predicate, 'predicate', 1);
  compiler.finish();
  return test;
}

const whereOps: { readonly [name: string]: Comparison } = {
  $eq: 'eq',
  $ne: 'neq',
  $gt: 'gt',
  $gte: 'gte',
  $lt: 'lt',
  $lte: 'lte',
  $in: 'in',
};

/**
 * Prepares a `where`: each field must equal its literal, or be null or missing where that is null, or do what each
 * operator of an object like `{ $gte: 1, $lt: 5 }` says.
 */
export function compileWhere(where: unknown, env: Environment = {}): Test {
  if (!isFields(where)) throw new QueryError('SYNTAX', 'where', 'want an object');
  const compiler = new Compiler(env);
  const tests: Test[] = [];
  for (const [field, v] of Object.entries(where)) {
    const operators = isFields(v) ? Object.keys(v) : [];
    if (!operators.length || operators.some((o) => !o.startsWith('$'))) {
      tests.push(compiler.where('eq', field, v, `where.${field}`));
      continue;
    }
    for (const o of operators) {
      const path = `where.${field}.${o}`;
      if (!Object.hasOwn(whereOps, o)) throw new QueryError('UNSUPPORTED', path, `operator ${o}`);
      tests.push(compiler.where(whereOps[o]!, field, (v as { [o: string]: Value })[o], path));
    }
  }
  return every(tests);
}

const every =
  (tests: readonly Test[]): Test =>
  (k, v) =>
    tests.every((t) => t(k, v));

/** What a record has to show for an operator whose right side is known; never called with null or undefined. */
type Check = (left: unknown) => boolean;

const never: Check = () => false;

class Compiler {
  #nodes = 0;
  /** What is left to do when the whole condition was found to be one, as the server does it. */
  readonly #later: (() => void)[] = [];

  constructor(private readonly env: Environment) {}

  finish(): void {
    for (const f of this.#later) f();
  }

  #count(path: string): void {
    if (++this.#nodes > maxNodes) throw new QueryError('LIMIT', path, `more than ${maxNodes} operators`);
  }

  node(n: unknown, path: string, level: number): Test {
    this.#count(path);
    if (level > maxLevels) throw new QueryError('LIMIT', path, `more than ${maxLevels} levels`);
    if (!isFields(n)) throw new QueryError('SYNTAX', path, 'want an object');
    const { op, attribute, value, valueRef, children } = n as { readonly [name: string]: unknown };
    if (children != null && !Array.isArray(children)) throw new QueryError('SYNTAX', `${path}.children`, 'want an array');
    const tests = ((children ?? []) as unknown[]).map((c, i) => this.node(c, `${path}.children[${i}]`, level + 1));
    switch (text(op, `${path}.op`)) {
      case 'and':
        return every(tests);
      case 'or':
        return (k, v) => tests.some((t) => t(k, v));
      case 'not': {
        const [test] = tests;
        return test ? (k, v) => !test(k, v) : () => true;
      }
    }
    if (!Object.hasOwn(checks, op as string) && op !== 'regex') throw new QueryError('UNSUPPORTED', `${path}.op`, `operator ${JSON.stringify(op)}`);
    const unary = op === 'isNull' || op === 'isNotNull';
    return this.#leaf(op as Comparison, text(attribute, `${path}.attribute`), value, unary ? null : valueRef, path);
  }

  where(op: Comparison, attribute: string, value: unknown, path: string): Test {
    this.#count(path);
    if (value == null && (op === 'eq' || op === 'neq')) return this.#leaf(op === 'eq' ? 'isNull' : 'isNotNull', attribute, null, null, path);
    refuse(op, value, path);
    return this.#leaf(op, attribute, value, null, path);
  }

  #leaf(op: Comparison, attribute: string, value: unknown, ref: unknown, path: string): Test {
    const left = operand(attribute);
    if (op === 'isNull') return (k, v) => left(k, v) == null;
    if (ref == null) {
      refuse(op, value, `${path}.value`);
      return test(left, this.#check(op, value, path));
    }
    const [, root, name] = /^(auth|data)\.(.+)$/s.exec(text(ref, `${path}.valueRef`)) ?? [];
    if (!root) throw new QueryError('SYNTAX', `${path}.valueRef`, 'want a reference to auth or data');
    if (root === 'data') {
      if (op === 'regex') {
        this.#later.push(() => {
          throw new QueryError('UNSUPPORTED', `${path}.valueRef`, 'a regex out of the record');
        });
      }
      const right = operand(name!);
      return (k, v) => {
        const [l, r] = [left(k, v), right(k, v)];
        return l != null && r != null && !problem(op, r) && this.#check(op, r, path)(l);
      };
    }
    const known = lookup(this.env.auth, name!);
    return test(left, known == null || problem(op, known) ? never : this.#check(op, known, path));
  }

  #check(op: Comparison, right: unknown, path: string): Check {
    if (op !== 'regex') return checks[op](right);
    if (right == null) return never;
    const { regex } = this.env;
    if (!regex) throw new QueryError('UNSUPPORTED', `${path}.op`, 'operator "regex"');
    let matches: (text: string) => boolean;
    this.#later.push(() => (matches = regex(right as string, `${path}.value`)));
    return (l) => typeof l === 'string' && matches(l);
  }
}

const operand =
  (attribute: string) =>
  (key: string, value: unknown): unknown =>
    attributeOf(key, value, attribute);

const test =
  (left: (key: string, value: unknown) => unknown, check: Check): Test =>
  (k, v) => {
    const l = left(k, v);
    return l != null && check(l);
  };

function text(v: unknown, path: string): string {
  if (typeof v !== 'string') throw new QueryError('SYNTAX', path, 'want a string');
  return v;
}

/** The sizes that right sides may have: of lists their elements, of patterns their bytes. */
const maxSizes: { readonly [op: string]: number } = { in: 10_000, containsAll: 1024, containsAny: 1024, like: 1024, regex: 1024 };

/** What is wrong with a value as the right side of an operator; undefined when nothing is. */
function problem(op: Comparison, v: unknown): readonly [code: 'SYNTAX' | 'LIMIT', detail: string] | undefined {
  let size = Array.isArray(v) ? v.length : 0;
  if (op === 'between') return size === 2 ? undefined : ['SYNTAX', 'want an array of two'];
  if (v != null && /^(like|regex|.*With)$/.test(op)) {
    if (typeof v !== 'string') return ['SYNTAX', 'want a string'];
    size = new TextEncoder().encode(v).length;
  }
  return size > maxSizes[op]! ? ['LIMIT', `more than ${maxSizes[op]!} elements or bytes`] : undefined;
}

function refuse(op: Comparison, v: unknown, path: string): void {
  const p = problem(op, v);
  if (p) throw new QueryError(p[0], path, p[1]);
}

const typeOf = (v: unknown) => (typeof v === 'bigint' ? 'number' : typeof v);

/**
 * The order of two values that have one: -1, 0 or 1. Values of different types, containers and NaN have none with
 * anything: undefined.
 */
function order(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'object' || typeOf(a) !== typeOf(b)) return undefined;
  if (typeof a === 'string') return compareText(a, b as string);
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : x > y ? 1 : x == y ? 0 : undefined;
}

const ordered =
  (holds: (order: number) => boolean) =>
  (right: unknown): Check =>
  (left) => {
    const o = order(left, right);
    return o !== undefined && holds(o);
  };

const isNaN = (v: unknown) => v !== v;

/** Equality in conditions: NaN is equal to nothing. */
const same = (a: unknown, b: unknown) => !isNaN(a) && equal(a, b);

/** A set of values in which looking one up does not depend on how many there are, but for containers. */
class Values {
  readonly #scalars = new Set<unknown>();
  readonly #others: unknown[] = [];

  constructor(readonly list: readonly unknown[]) {
    for (const v of list) {
      if (typeof v === 'object' && v !== null) this.#others.push(v);
      else this.#scalars.add(scalar(v));
    }
  }

  has(v: unknown): boolean {
    if (typeof v === 'object' && v !== null) return this.#others.some((o) => equal(o, v));
    return !isNaN(v) && this.#scalars.has(scalar(v));
  }
}

/** One form for each number. */
function scalar(v: unknown): unknown {
  return typeof v === 'bigint' && BigInt(Number(v)) === v ? Number(v) : v;
}

/** A list as it stands, another value as a list of it, nothing for null. */
const listOf = (v: unknown): readonly unknown[] => (Array.isArray(v) ? (v as unknown[]) : v == null ? [] : [v]);

const hasElement = (list: unknown, v: unknown) => Array.isArray(list) && v != null && list.some((e) => same(e, v));

const ofTexts =
  (holds: (left: string, right: string) => boolean) =>
  (right: unknown): Check =>
  (left) =>
    typeof left === 'string' && typeof right === 'string' && holds(left, right);

/** What each operator makes of its right side, which may be null, and which has no problem. */
const checks: { readonly [op in Exclude<Comparison, 'regex'>]: (right: unknown) => Check } = {
  eq: (right) => (left) => same(left, right),
  neq: (right) => (left) => !same(left, right),
  gt: ordered((o) => o > 0),
  gte: ordered((o) => o >= 0),
  lt: ordered((o) => o < 0),
  lte: ordered((o) => o <= 0),
  isNull: () => never,
  isNotNull: () => () => true,
  startsWith: ofTexts((l, r) => l.startsWith(r)),
  endsWith: ofTexts((l, r) => l.endsWith(r)),
  like: (right) => {
    if (typeof right !== 'string') return never;
    const pattern = [...fold(right)];
    return (left) => typeof left === 'string' && like(pattern, [...fold(left)]);
  },
  in: (right) => {
    if (!Array.isArray(right)) return (left) => hasElement(left, right);
    const values = new Values(right);
    return (left) => values.has(left);
  },
  between: (right) => {
    const [low, high] = right as [unknown, unknown];
    const [atLeast, atMost] = [checks.gte(low), checks.lte(high)];
    return (left) => atLeast(left) && atMost(left);
  },
  contains: (right) => {
    const needle = typeof right === 'string' ? fold(right) : undefined;
    return (left) => (typeof left === 'string' ? needle !== undefined && fold(left).includes(needle) : hasElement(left, right));
  },
  containsAll: (right) => {
    const list = listOf(right);
    const needles = list.map((v) => (typeof v === 'string' ? fold(v) : undefined));
    return (left) => {
      if (right == null) return false;
      if (typeof left === 'string') {
        const text = fold(left);
        return needles.every((n) => n !== undefined && text.includes(n));
      }
      if (!Array.isArray(left)) return false;
      const values = new Values(left);
      return list.every((v) => values.has(v));
    };
  },
  containsAny: (right) => {
    const values = new Values(listOf(right));
    const needles = values.list.filter((v) => typeof v === 'string').map(fold);
    return (left) => {
      if (typeof left !== 'string') return Array.isArray(left) && left.some((v) => values.has(v));
      const text = fold(left);
      return needles.some((n) => text.includes(n));
    };
  },
};
