import { QueryError } from './predicate.js';

/**
 * Regular expressions as the server has them: RE2 syntax, not anchored, matching in time linear in the text. JavaScript's
 * own would differ in syntax and, on patterns such as `(a+)+$`, take for ever.
 */
export function compileRegex(pattern: string, path = 'pattern'): (text: string) => boolean {
  const tree = new Parser(pattern, path).all();
  if (costOf(tree) > maxCost) throw new QueryError('LIMIT', path, `more than ${maxCost} characters in a regex with its repetitions written out`);
  const states: State[] = [];
  const start = emit(tree, states, states.push({ kind: 'match' }) - 1);
  return (text) => run(states, start, text);
}

/** The size of a regex with its repetitions written out, in characters and operators. */
const maxCost = 4096;

/** How often something may be repeated by a count, nested counts multiplied. */
const maxRepeat = 1000;

type Look = '^' | '$' | 'A' | 'z' | 'b' | 'B';

type Node =
  | { readonly kind: 'char'; readonly test: (c: string) => boolean }
  | { readonly kind: 'look'; readonly look: Look }
  | { readonly kind: 'all' | 'any'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly min: number; readonly max: number; readonly counted: boolean };

const space = '\\t\\n\\f\\r ';
const classes: { readonly [name: string]: string } = {
  d: '0-9',
  s: space,
  w: '0-9A-Za-z_',
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\0-\\x7f',
  blank: '\\t ',
  cntrl: '\\0-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: `${space}\\v`,
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const controls: { readonly [letter: string]: number } = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

class Parser {
  #at = 0;
  #flags = { i: false, m: false, s: false, U: false };

  constructor(
    private readonly text: string,
    private readonly path: string,
  ) {}

  all(): Node {
    const tree = this.#alternatives();
    if (this.#at < this.text.length) this.#fail('unexpected )');
    return tree;
  }

  #fail(detail: string): never {
    throw new QueryError('SYNTAX', this.path, `not a regular expression: ${detail}`);
  }

  /** Takes a text if it comes next. */
  #take(text: string): boolean {
    if (!this.text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Takes what a sticky pattern matches of what comes next. */
  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const m = pattern.exec(this.text);
    if (m) this.#at = pattern.lastIndex;
    return m;
  }

  #next(): string {
    return this.#match(/./suy)?.[0] ?? this.#fail('it ends too early');
  }

  #alternatives(): Node {
    const flags = this.#flags;
    const nodes = [this.#sequence()];
    while (this.#take('|')) nodes.push(this.#sequence());
    this.#flags = flags;
    return nodes.length > 1 ? { kind: 'any', nodes } : nodes[0]!;
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    while (this.#at < this.text.length && !'|)'.includes(this.text[this.#at]!)) {
      if (this.#match(/\\Q/y)) {
        for (const c of this.#match(/(.*?)(\\E|$)/sy)![1]!) nodes.push(this.#set([c]));
        const last = nodes.pop();
        if (last) nodes.push(this.#repeated(last));
        continue;
      }
      // Flags are no atom, and what repeats behind them is what was before.
      const atom = this.#atom() ?? nodes.pop();
      if (atom) nodes.push(this.#repeated(atom));
    }
    return nodes.length === 1 ? nodes[0]! : { kind: 'all', nodes };
  }

  /** An atom with the repetition that follows it. */
  #repeated(node: Node): Node {
    const m = this.#repetition();
    if (!m) return node;
    this.#take('?');
    if (this.#repetition()) this.#fail('a repetition of a repetition');
    const [, sign, from, comma, to] = m;
    const min = sign ? Number(sign === '+') : Number(from);
    const max = sign ? (sign === '?' ? 1 : Infinity) : comma ? (to ? Number(to) : Infinity) : min;
    if (min > max || min > maxRepeat || (max > maxRepeat && max < Infinity)) this.#fail('a wrong count');
    const repeat: Node = { kind: 'repeat', node, min, max, counted: !sign };
    if (!sign && !fits(repeat, maxRepeat)) this.#fail('too many repetitions');
    return repeat;
  }

  #repetition(): RegExpExecArray | null {
    return this.#match(/([*+?])|\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/y);
  }

  #look(look: Look): Node {
    return { kind: 'look', look };
  }

  /** One atom; undefined for flags, which are none. */
  #atom(): Node | undefined {
    if (this.#repetition()) this.#fail('nothing to repeat');
    const c = this.#next();
    switch (c) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return this.#flags.s ? { kind: 'char', test: () => true } : { kind: 'char', test: (c) => c !== '\n' };
      case '^':
        return this.#look(this.#flags.m ? '^' : 'A');
      case '$':
        return this.#look(this.#flags.m ? '$' : 'z');
      case '\\': {
        const look = this.#match(/[AbBz]/y);
        if (look) return this.#look(look[0] as Look);
        return this.#shorthand() ?? this.#set([this.#escaped()]);
      }
    }
    return this.#set([c]);
  }

  #group(): Node | undefined {
    if (this.#take('?')) {
      if (!this.#match(/P?<\w+>/y)) {
        const m = this.#match(/([imsU]*)(?:-([imsU]+))?([:)])/y);
        if (!m) this.#fail('an unknown group');
        const outer = this.#flags;
        const inner = { ...outer };
        for (const f of m[1]!) inner[f as keyof typeof inner] = true;
        for (const f of m[2] ?? '') inner[f as keyof typeof inner] = false;
        this.#flags = inner;
        // Flags alone hold to the end of the group around them, which takes them back.
        if (m[3] === ')') return undefined;
        const node = this.#close();
        this.#flags = outer;
        return node;
      }
    }
    return { kind: 'all', nodes: [this.#close()] };
  }

  #close(): Node {
    const node = this.#alternatives();
    if (!this.#take(')')) this.#fail('missing )');
    return node;
  }

  /** What \d, \pL and their like stand for. */
  #shorthand(): (Node & { kind: 'char' }) | undefined {
    const m = this.#match(/([dswDSW])|([pP])(?:\{(\^?)(\w+)\}|([A-Z]))/y);
    if (!m) {
      if (this.#match(/[pP]/y)) this.#fail('an unknown class of characters');
      return undefined;
    }
    const [, perl, p, not, long, short] = m;
    if (perl) return this.#from(`[${classes[perl.toLowerCase()]!}]`, perl < 'a');
    const name = long ?? short!;
    const negated = (p === 'P') !== (not === '^');
    if (name === 'Any') return { kind: 'char', test: () => !negated };
    for (const property of [`General_Category=${name}`, `Script=${name}`]) {
      try {
        return this.#from(`\\p{${property}}`, negated);
      } catch {
        // It is the other one, or none.
      }
    }
    return this.#fail('an unknown class of characters');
  }

  /** One of some characters, as JavaScript finds out: it knows the cases and properties of all of them. */
  #from(source: string, negated: boolean): Node & { kind: 'char' } {
    const one = new RegExp(`^${source}$`, this.#flags.i ? 'iu' : 'u');
    return { kind: 'char', test: (c) => one.test(c) !== negated };
  }

  #set(chars: readonly string[]): Node & { kind: 'char' } {
    const [only] = chars;
    return this.#flags.i ? this.#from(`[${chars.map(literal).join('')}]`, false) : { kind: 'char', test: (c) => c === only };
  }

  /** The character that stands behind a backslash. */
  #escaped(): string {
    const octal = this.#match(/(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/y);
    if (octal) return String.fromCodePoint(parseInt(octal[0], 8));
    const hex = this.#match(/x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]+)\})/y);
    if (hex) {
      const code = parseInt(hex[1] ?? hex[2]!, 16);
      if (code > 0x10ffff) this.#fail('no such character');
      return String.fromCodePoint(code);
    }
    const c = this.#next();
    if (Object.hasOwn(controls, c)) return String.fromCodePoint(controls[c]!);
    if (!/^[\0-/:-@[-`{-\x7f]$/.test(c)) this.#fail('an unknown escape');
    return c;
  }

  #class(): Node {
    const negated = this.#take('^');
    const parts: (Node & { kind: 'char' })[] = [];
    let ranges = '';
    for (let first = true; first || this.text[this.#at] !== ']'; first = false) {
      const posix = this.#match(/\[:(\^?)(.*?):\]/sy);
      if (posix) {
        const [, not, name] = posix;
        if (name!.length < 4 || !Object.hasOwn(classes, name!)) this.#fail('an unknown class of characters');
        parts.push(this.#from(`[${classes[name!]!}]`, not === '^'));
        continue;
      }
      if (this.#take('\\')) {
        const shorthand = this.#shorthand();
        if (shorthand) {
          parts.push(shorthand);
          continue;
        }
        this.#at--;
      }
      const low = this.#classChar();
      let high = low;
      if (this.#match(/-(?=[^\]])/y)) {
        high = this.#classChar();
        if (high.codePointAt(0)! < low.codePointAt(0)!) this.#fail('a range of characters that goes down');
      }
      ranges += `${literal(low)}-${literal(high)}`;
    }
    this.#at++;
    if (ranges) parts.push(this.#from(`[${ranges}]`, false));
    return { kind: 'char', test: (c) => parts.some((p) => p.test(c)) !== negated };
  }

  #classChar(): string {
    const c = this.#next();
    return c === '\\' ? this.#escaped() : c;
  }
}

const literal = (c: string) => `\\u{${c.codePointAt(0)!.toString(16)}}`;

/** Whether counts that are nested multiply to no more than n. */
function fits(node: Node, n: number): boolean {
  if (node.kind === 'all' || node.kind === 'any') return node.nodes.every((c) => fits(c, n));
  if (node.kind !== 'repeat') return true;
  if (node.counted) {
    if (node.max === 0) return true;
    const m = node.max < Infinity ? node.max : node.min;
    if (m > n) return false;
    if (m > 0) n = Math.floor(n / m);
  }
  return fits(node.node, n);
}

function costOf(node: Node): number {
  if (node.kind === 'repeat') return costOf(node.node) * (node.counted ? Math.max(node.min, node.max < Infinity ? node.max : 1, 1) : 1) + 1;
  if (node.kind !== 'all' && node.kind !== 'any') return 1;
  return node.nodes.reduce((sum, n) => sum + costOf(n), 1);
}

/** A state of the machine: where to go on from it, and when. */
type State =
  | { readonly kind: 'match' }
  | { readonly kind: 'char'; readonly test: (c: string) => boolean; readonly next: number }
  | { readonly kind: 'look'; readonly look: Look; readonly next: number }
  | { readonly kind: 'split'; readonly next: number[] };

/** Adds the states of a node that go on to next, and returns where it begins. */
function emit(node: Node, states: State[], next: number): number {
  switch (node.kind) {
    case 'char':
      return states.push({ kind: 'char', test: node.test, next }) - 1;
    case 'look':
      return states.push({ kind: 'look', look: node.look, next }) - 1;
    case 'all':
      return node.nodes.reduceRight((to, n) => emit(n, states, to), next);
    case 'any':
      return states.push({ kind: 'split', next: node.nodes.map((n) => emit(n, states, next)) }) - 1;
  }
  let at = next;
  if (node.max === Infinity) {
    const ways: number[] = [];
    at = states.push({ kind: 'split', next: ways }) - 1;
    ways.push(emit(node.node, states, at), next);
  } else {
    for (let i = node.min; i < node.max; i++) at = states.push({ kind: 'split', next: [emit(node.node, states, at), next] }) - 1;
  }
  for (let i = 0; i < node.min; i++) at = emit(node.node, states, at);
  return at;
}

const isWord = (c: string | undefined) => c !== undefined && /^\w$/.test(c);

/** Runs through a text once, in all states that are possible at the same time. */
function run(states: readonly State[], start: number, text: string): boolean {
  const chars = [...text];
  const seen = new Int32Array(states.length).fill(-1);
  let now: (State & { kind: 'char' })[] = [];
  for (let at = 0; ; at++) {
    const before = chars[at - 1];
    const c = chars[at];
    const todo = [start];
    for (const s of now) if (s.test(before!)) todo.push(s.next);
    now = [];
    for (let i: number | undefined; (i = todo.pop()) !== undefined; ) {
      if (seen[i] === at) continue;
      seen[i] = at;
      const s = states[i]!;
      if (s.kind === 'match') return true;
      if (s.kind === 'char') now.push(s);
      else if (s.kind === 'split') todo.push(...s.next);
      else if (holds(s.look, before, c)) todo.push(s.next);
    }
    if (c === undefined) return false;
  }
}

function holds(look: Look, before: string | undefined, after: string | undefined): boolean {
  switch (look) {
    case 'A':
      return before === undefined;
    case 'z':
      return after === undefined;
    case '^':
      return before === undefined || before === '\n';
    case '$':
      return after === undefined || after === '\n';
    case 'b':
      return isWord(before) !== isWord(after);
    case 'B':
      return isWord(before) === isWord(after);
  }
}
