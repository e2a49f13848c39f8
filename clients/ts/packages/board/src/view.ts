import { Crowd } from './crowd.js';
import { byId, inside, say } from './dom.js';
import { Note } from './note.js';
import type { Entry, Journal } from './journal.js';
import { List } from './list.js';
import { gone, type Act, type Board, type Change, type Item } from './model.js';
import type { People, Person } from './people.js';

/** How the connection is, for people. */
export interface Connection {
  readonly state: 'starting' | 'connecting' | 'online' | 'offline' | 'failed';
  /** Writes that the server has not confirmed. */
  readonly pending: number;
  /** Whether they survive a reload. */
  readonly stored: boolean;
  /** Whether this browser keeps anything at all. */
  readonly durable: boolean;
  /** What is wrong, if something is. */
  readonly trouble?: string | undefined;
}

/** Items that an example begins with. */
const example = ['Open this page in a second window', 'Tick something off over there', 'Switch the network off and go on writing', 'Reload: it is all still here', 'Switch it on again'];

/** The page: shows the board, and turns what people do into acts. */
export class View {
  readonly #board: Board;
  readonly #people: People;
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #id: () => string;
  readonly #list: List;
  readonly #note = new Note(byId('writes', HTMLOListElement));
  readonly #crowd: Crowd;
  readonly #input = byId('new', HTMLInputElement);
  /** Called after each act of a person. */
  onAct: () => void = () => {};
  /** Called when somebody has come, gone or done something else. */
  onPeople: () => void = () => {};
  #connection: Connection = { state: 'starting', pending: 0, stored: true, durable: true };
  #due = false;
  /** Writes of others that are not on the screen yet. */
  #unseen: string[] = [];
  #toast: ReturnType<typeof setTimeout> | undefined;

  constructor(board: Board, people: People, journal: Journal, now: () => number, id: () => string, renamed: (name: string) => void) {
    this.#board = board;
    this.#people = people;
    this.#journal = journal;
    this.#now = now;
    this.#id = id;
    this.#crowd = new Crowd(byId('people', HTMLElement), people, renamed);
    this.#list = new List(byId('items', HTMLElement), {
      check: (item, done) => this.#act(`${done ? 'Ticked off' : 'Reopened'} ${this.#name(item)}`, 'done', () => board.check(item, done)),
      write: (item, text) => this.#act(`Wrote ${quoted(text)}`, 'text', () => board.write(item, text)),
      next: (item) => this.#next(item),
      remove: (item, byKey) => this.#remove(item, byKey),
      move: (item, index) => {
        this.#act(`Moved ${this.#name(item)}`, 'place', () => board.move(item, index));
        this.show();
        this.#announce(`${this.#name(item)} is now item ${index + 1} of ${this.#list.items.length}`);
      },
      at: (item) => this.#at(item),
    });
    board.subscribe((changes) => this.#changed(changes));
    people.onChange = () => {
      this.#crowd.show();
      this.#editors();
      this.onPeople();
    };
    people.onSeen = (writes, by) => journal.seen(writes, by);
    journal.onChange = (entry) => {
      this.#note.show(journal.entries);
      this.#mark(entry);
    };
    this.#listen();
  }

  /** Shows how the connection is. */
  connection(c: Connection): void {
    const was = this.#connection.state;
    this.#connection = c;
    this.#connected();
    if (was !== c.state && was !== 'starting' && (c.state === 'online' || was === 'online')) {
      this.#announce(c.state === 'online' ? 'Connected to the server' : 'Offline. What you write is kept here.');
    }
  }

  /** Shows the board as it is. */
  show(): void {
    this.#due = false;
    const items = this.#board.items();
    this.#list.show(items);
    this.#editors();
    const done = items.filter((i) => i.done).length;
    say(byId('count', HTMLElement), items.length === 0 ? '' : `${done} of ${items.length} done`);
    byId('empty', HTMLElement).hidden = items.length > 0 || this.#connection.state === 'starting';
    const more = byId('more', HTMLElement);
    more.hidden = this.#list.hidden === 0;
    say(more, `and ${this.#list.hidden} more, for which there is no room here`);
    this.#report();
  }

  /** Writes what was typed and is not written yet. */
  flush(): void {
    this.#list.flush();
  }

  #listen(): void {
    byId('form', HTMLFormElement).addEventListener('submit', (e) => {
      e.preventDefault();
      const text = this.#input.value.trim();
      if (!text) return;
      this.#input.value = '';
      this.#add(this.#id(), text);
      this.#input.scrollIntoView({ block: 'nearest' });
    });
    this.#input.addEventListener('keydown', (e) => {
      const last = this.#list.items.at(-1);
      if (e.key === 'ArrowUp' && last) {
        e.preventDefault();
        this.#list.row(last.id)?.focus();
      }
    });
    byId('example', HTMLButtonElement).addEventListener('click', () => {
      for (const text of example) this.#add(this.#id(), text);
      this.#input.focus();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#report();
      this.#people.change({ away: document.visibilityState !== 'visible' });
    });
  }

  /** Does something to the board, shows it and follows what becomes of it. */
  #act(title: string, kind: string, act: () => Act): void {
    const began = this.#now();
    const done = act();
    this.show();
    this.#journal.follow(title, kind, began, done);
    this.onAct();
  }

  #add(id: string, text: string, behind?: string): void {
    this.#act(text === '' ? 'Began an item' : `Added ${quoted(text)}`, 'add', () => this.#board.add(id, text, behind));
  }

  #next(behind: string): void {
    const text = this.#list.row(behind)?.text;
    if (text === '') return this.#input.focus();
    const id = this.#id();
    this.#add(id, '', behind);
    this.#list.row(id)?.focus();
  }

  #remove(id: string, byKey: boolean): void {
    const items = this.#list.items;
    const index = items.findIndex((i) => i.id === id);
    const item = items[index];
    if (!item) return;
    const held = this.#list.row(id)?.element.contains(document.activeElement) ?? false;
    const next = byKey ? (items[index - 1] ?? items[index + 1]) : (items[index + 1] ?? items[index - 1]);
    if (held) {
      if (next) this.#list.row(next.id)?.focus();
      else this.#input.focus();
    }
    this.#act(item.text === '' ? 'Removed an empty item' : `Removed ${quoted(item.text)}`, 'gone', () => this.#board.remove(id));
    if (item.text !== '') this.#offerUndo(item);
  }

  #offerUndo(item: Item): void {
    const toast = byId('toast', HTMLElement);
    const undo = inside(toast, 'button', HTMLButtonElement);
    const close = (): void => {
      toast.hidden = true;
    };
    say(inside(toast, 'span', HTMLElement), `Removed ${quoted(item.text)}`);
    undo.onclick = () => {
      close();
      this.#act(`Put back ${quoted(item.text)}`, 'add', () => this.#board.restore(item));
      this.#list.row(item.id)?.focus();
    };
    toast.hidden = false;
    clearTimeout(this.#toast);
    this.#toast = setTimeout(close, 7_000);
  }

  #at(id: string | undefined): void {
    const left = this.#people.me.at;
    if (left !== undefined && left !== id && this.#list.row(left)?.text === '') this.#remove(left, false);
    if (left !== id) this.#people.change({ at: id });
  }

  #changed(changes: readonly Change[]): void {
    for (const c of changes) if (!c.own) this.#told(c);
    if (this.#due) return;
    this.#due = true;
    queueMicrotask(() => this.#due && this.show());
  }

  /** Says and shows what somebody else did. */
  #told(c: Change): void {
    if (!c.cell) {
      const item = this.#list.items.find((i) => i.id === c.id);
      if (c.field !== 'text' || !item) return;
      this.#unseen.push(gone(c.id));
      return this.#announce(`${quoted(item.text)} was removed`);
    }
    this.#unseen.push(c.cell.w);
    const { by, v } = c.cell;
    queueMicrotask(() => {
      const row = this.#list.row(c.id);
      const page = c.cell?.w.split(':')[0];
      const hue = this.#people.others().find((p) => p.id === page)?.hue;
      if (!row || hue === undefined) return; // from before: nobody is doing it now
      row.flash(hue);
      row.mark('other', by, false, hue);
      if (c.field === 'done') this.#announce(`${by} ${v === true ? 'ticked off' : 'reopened'} ${this.#name(c.id)}`);
      if (c.field === 'place') this.#announce(`${by} moved ${this.#name(c.id)}`);
    });
  }

  /** Tells the others what is on the screen; what is in a window behind others is not. */
  #report(): void {
    if (document.visibilityState !== 'visible') {
      this.#unseen.splice(0, this.#unseen.length - 200);
      return;
    }
    for (const write of this.#unseen.splice(0)) this.#people.saw(write);
  }

  #mark(entry: Entry): void {
    const row = this.#list.row(entry.item);
    if (!row || row.latest > entry.key) return;
    row.latest = entry.key;
    const away = this.#connection.state !== 'online';
    if (entry.refused !== undefined) row.mark('refused', 'refused', true);
    else if (entry.took.has('seen')) row.mark('seen', `seen by ${entry.by[0] ?? ''}`, false);
    else if (entry.took.has('disk')) row.mark('disk', entry.durable ? 'on disk' : 'on the server', false);
    else if (entry.took.has('sent')) row.mark('sent', 'sent', true);
    else row.mark('local', away && entry.stored ? 'kept here' : 'here', true);
  }

  /** Shows who edits what. */
  #editors(): void {
    const at = new Map<string, Person>();
    for (const p of this.#people.others()) if (p.at !== undefined) at.set(p.at, p);
    for (const item of this.#list.items) this.#list.row(item.id)?.editor(at.get(item.id)?.hue);
  }

  #connected(): void {
    const { state, pending, stored, durable, trouble } = this.#connection;
    const pill = byId('state', HTMLElement);
    pill.dataset['state'] = state;
    pill.toggleAttribute('data-busy', !stored || (pending > 0 && state === 'online'));
    document.body.dataset['state'] = state;
    document.body.dataset['pending'] = String(pending);
    document.body.dataset['stored'] = stored ? 'yes' : 'no';
    if (!durable) {
      say(inside(pill, 'span', HTMLElement), pending === 0 ? 'Nothing is kept here' : `${pending} not kept here`);
      say(byId('now', HTMLElement), 'This browser does not let the page keep anything: what the server has not got is lost with the window.');
      return;
    }
    const kept = pending === 0 ? '' : `, ${pending} ${pending === 1 ? 'write' : 'writes'} kept here`;
    const others = this.#people.others().length;
    const [short, long] = ((): [string, string] => {
      switch (state) {
        case 'starting':
          return ['Starting', 'Opening what this browser has kept.'];
        case 'online':
          if (pending > 0) return [`Sending ${pending}`, 'On its way. The server says so once it is on its disk.'];
          return ['All on disk', `Connected${others === 0 ? '' : `, with ${others === 1 ? 'one other window' : `${others} other windows`}`}. A write is on your screen at once; it never waits for the server.`];
        case 'connecting':
          return [`No server${kept}`, 'The server does not answer; looking for it. Go on writing, it is all kept in this browser.'];
        case 'offline':
          return [`Offline${kept}`, 'The network is off. Go on writing, reload, close the window: it is kept in this browser and goes out later. Windows of this browser still follow each other.'];
        case 'failed':
          return ['Something is wrong', trouble ?? ''];
      }
    })();
    say(inside(pill, 'span', HTMLElement), short);
    say(byId('now', HTMLElement), long);
  }

  #announce(text: string): void {
    const line = document.createElement('span');
    line.textContent = text;
    const said = byId('said', HTMLElement);
    said.append(line);
    while (said.childElementCount > 4) said.firstElementChild?.remove();
  }

  #name(id: string): string {
    return quoted(this.#list.items.find((i) => i.id === id)?.text ?? '');
  }
}

function quoted(text: string): string {
  return text === '' ? 'an empty item' : `“${text.length > 60 ? `${text.slice(0, 57)}…` : text}”`;
}
