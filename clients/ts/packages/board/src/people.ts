/** Somebody else who has the board open. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly hue: number;
  /** Whether the window is in the background. */
  readonly away: boolean;
  /** The item that is being edited. */
  readonly at: string | undefined;
}

/** How the windows reach each other: each way delivers at most once, and both may deliver the same. */
export interface Way {
  send(message: Message): void;
  listen(heard: (message: unknown) => void): void;
}

type Message =
  | ({ readonly type: 'here' } & Person)
  | { readonly type: 'gone'; readonly id: string }
  | { readonly type: 'seen'; readonly id: string; readonly name: string; readonly writes: readonly string[] };

/** How often a window says that it is there, and how long it counts as there without saying so, in milliseconds. */
const beat = 2_000;
const patience = { near: 7_000, away: 130_000 }; // browsers let background windows act once a minute

/** Writes named in one message; of more, the rest is not reported. */
const most = 200;

/** People of whom a window keeps track. */
const crowd = 200;

/** Who is here, told by heartbeats, and which writes they have on their screens. */
export class People {
  #me: Person;
  readonly #ways: readonly Way[];
  readonly #others = new Map<string, { person: Person; until: number }>();
  readonly #seen = new Set<string>();
  readonly #now: () => number;
  /** Whether the page has ended, for all that it knows. */
  #left = false;

  /** Called when somebody comes, goes or does something else. */
  onChange: () => void = () => {};
  /** Called when somebody has writes on the screen. */
  onSeen: (writes: readonly string[], by: string) => void = () => {};

  constructor(me: Person, ways: readonly Way[], now: () => number) {
    this.#me = me;
    this.#ways = ways;
    this.#now = now;
    for (const way of ways) way.listen((m) => this.#hear(m));
  }

  get me(): Person {
    return this.#me;
  }

  /** The others, those who came first to the front. */
  others(): Person[] {
    return [...this.#others.values()].map((o) => o.person);
  }

  /** Begins to tell the others, until the page ends. */
  start(): void {
    this.#say();
    setInterval(() => {
      this.#say();
      this.#forget();
    }, beat);
    addEventListener('pagehide', () => {
      this.#send({ type: 'gone', id: this.#me.id });
      this.#left = true; // browsers say afterwards that it is in the background
    });
    addEventListener('pageshow', () => {
      this.#left = false;
      this.#say();
    });
  }

  /** Changes what the others know of this window, and tells them. */
  change(me: Partial<Omit<Person, 'id'>>): void {
    this.#me = { ...this.#me, ...me };
    this.#say();
  }

  /** Tells the others that writes of theirs are on this screen. */
  saw(write: string): void {
    if (this.#seen.size === 0) queueMicrotask(() => this.#report());
    if (this.#seen.size < most) this.#seen.add(write);
  }

  #report(): void {
    this.#send({ type: 'seen', id: this.#me.id, name: this.#me.name, writes: [...this.#seen] });
    this.#seen.clear();
  }

  #say(): void {
    if (!this.#left) this.#send({ type: 'here', ...this.#me });
  }

  #send(message: Message): void {
    for (const way of this.#ways) way.send(message);
  }

  #hear(m: unknown): void {
    if (!isMessage(m) || m.id === this.#me.id) return;
    switch (m.type) {
      case 'here': {
        const known = this.#others.get(m.id);
        if (!known && this.#others.size >= crowd) return;
        const { id, name, hue, away, at } = m;
        const person = { id, name: name.slice(0, 40), hue, away, at };
        this.#others.set(id, { person, until: this.#now() + (away ? patience.away : patience.near) });
        if (!known) this.#say(); // so that who comes need not wait for the next heartbeat
        if (!known || !same(known.person, person)) this.onChange();
        return;
      }
      case 'gone':
        if (this.#others.delete(m.id)) this.onChange();
        return;
      case 'seen':
        this.onSeen(m.writes, m.name.slice(0, 40));
    }
  }

  #forget(): void {
    const before = this.#others.size;
    for (const [id, o] of this.#others) if (o.until < this.#now()) this.#others.delete(id);
    if (this.#others.size !== before) this.onChange();
  }
}

function same(a: Person, b: Person): boolean {
  return a.name === b.name && a.hue === b.hue && a.away === b.away && a.at === b.at;
}

/** Whether something that somebody said is a message. */
function isMessage(m: unknown): m is Message {
  if (typeof m !== 'object' || m === null) return false;
  const { type, id, name, hue, away, at, writes } = m as Record<string, unknown>;
  if (typeof id !== 'string') return false;
  switch (type) {
    case 'here':
      return typeof name === 'string' && typeof hue === 'number' && typeof away === 'boolean' && (at === undefined || at === null || typeof at === 'string');
    case 'gone':
      return true;
    case 'seen':
      return typeof name === 'string' && Array.isArray(writes) && writes.every((w) => typeof w === 'string');
    default:
      return false;
  }
}
