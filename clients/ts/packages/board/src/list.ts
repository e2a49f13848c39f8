import { mayMove } from './dom.js';
import type { Item } from './model.js';
import { Row, type RowEvents } from './row.js';

/** Each of these lets go of a row. */
const ends = ['pointerup', 'pointercancel', 'lostpointercapture'] as const;

/** How close to the middle of another row is there, in pixels. */
const slack = 3;

/** Rows on the screen at most; a board is for people. */
const most = 500;

/** What the list asks for. */
export interface ListEvents extends Omit<RowEvents, 'walk' | 'shift' | 'lift'> {
  /** Moves an item to where it has so many others before it. */
  move(id: string, index: number): void;
}

/** The items on the screen. */
export class List {
  readonly #element: HTMLElement;
  readonly #events: RowEvents;
  readonly #move: (id: string, index: number) => void;
  readonly #rows = new Map<string, Row>();
  #items: readonly Item[] = [];
  /** The row that a pointer carries. */
  #lifted: Row | undefined;
  #missed = false;

  constructor(element: HTMLElement, events: ListEvents) {
    this.#element = element;
    this.#move = events.move.bind(events);
    this.#events = {
      ...events,
      walk: (id, by) => this.#walk(id, by),
      shift: (id, by) => this.#shift(id, by),
      lift: (id, e) => this.#lift(id, e),
    };
  }

  get items(): readonly Item[] {
    return this.#items;
  }

  /** How many items there is no room for. */
  get hidden(): number {
    return Math.max(0, this.#items.length - most);
  }

  row(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** Shows items, in their order. The focus stays where it is. */
  show(items: readonly Item[]): void {
    this.#items = items;
    if (this.#lifted) {
      this.#missed = true;
      return;
    }
    const shown = items.slice(0, most);
    const ids = new Set(shown.map((i) => i.id));
    const before = this.#tops();
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      this.#rows.delete(id);
      row.element.remove();
    }
    shown.forEach((item, i) => {
      let row = this.#rows.get(item.id);
      if (!row) {
        row = new Row(item.id, this.#events);
        this.#rows.set(item.id, row);
      }
      row.show(item, i, items.length);
    });
    this.#arrange(shown.map((i) => i.id));
    this.#glide(before);
  }

  /** Writes what was typed and is not written yet. */
  flush(): void {
    for (const row of this.#rows.values()) row.flush();
  }

  /** Puts the rows in order, around the one that has the focus: moving that would take the focus from it. */
  #arrange(ids: readonly string[]): void {
    const list = this.#element;
    const held = list.contains(document.activeElement) ? ids.findIndex((id) => this.#rowOf(id).contains(document.activeElement)) : -1;
    if (held < 0) {
      this.#place(ids, null);
      return;
    }
    this.#place(ids.slice(0, held), this.#rowOf(ids[held] ?? ''));
    this.#place(ids.slice(held + 1), null);
  }

  /** Puts rows in order, directly before another element, null for the end. */
  #place(ids: readonly string[], before: Element | null): void {
    let next = before;
    for (const id of ids.toReversed()) {
      const e = this.#rowOf(id);
      if (e.parentNode !== this.#element || e.nextElementSibling !== next) this.#element.insertBefore(e, next);
      next = e;
    }
  }

  #rowOf(id: string): HTMLLIElement {
    const row = this.#rows.get(id);
    if (!row) throw new Error(`there is no row of ${id}`);
    return row.element;
  }

  #tops(): Map<Row, number> {
    const tops = new Map<Row, number>();
    if (mayMove()) for (const row of this.#rows.values()) tops.set(row, row.element.offsetTop);
    return tops;
  }

  /** Lets rows glide from where they were. */
  #glide(before: Map<Row, number>): void {
    for (const [row, top] of before) {
      const by = row === this.#lifted || !row.element.isConnected ? 0 : top - row.element.offsetTop;
      if (by !== 0) row.element.animate([{ transform: `translateY(${by}px)` }, { transform: 'none' }], { duration: 190, easing: 'cubic-bezier(.2,.8,.3,1)' });
    }
  }

  #index(id: string): number {
    return this.#items.findIndex((i) => i.id === id);
  }

  #walk(id: string, by: number): void {
    const to = this.#items[this.#index(id) + by];
    if (to) this.row(to.id)?.focus();
    else if (by > 0) document.getElementById('new')?.focus();
  }

  #shift(id: string, by: number): void {
    const from = this.#index(id);
    const to = Math.min(Math.max(from + by, 0), this.#items.length - 1);
    if (to === from) return;
    this.#move(id, to);
    this.row(id)?.element.scrollIntoView({ block: 'nearest' });
  }

  /** Carries a row with the pointer until it is let go. */
  #lift(id: string, down: PointerEvent): void {
    const row = this.row(id);
    const grip = down.currentTarget;
    if (!row || this.#lifted || !(grip instanceof HTMLElement)) return;
    down.preventDefault();
    grip.setPointerCapture(down.pointerId);
    this.#lifted = row;
    const e = row.element;
    const from = this.#index(id);
    let home = e.offsetTop; // where it lies without the pointer
    const grasp = down.pageY - home;
    e.classList.add('lifted');

    const move = (at: PointerEvent): void => {
      const top = at.pageY - grasp;
      const middle = top + e.offsetHeight / 2;
      const before = this.#tops();
      for (let above = e.previousElementSibling; above instanceof HTMLElement && middle < above.offsetTop + above.offsetHeight / 2 + slack; above = e.previousElementSibling) {
        e.after(above);
      }
      for (let below = e.nextElementSibling; below instanceof HTMLElement && middle > below.offsetTop + below.offsetHeight / 2 - slack; below = e.nextElementSibling) {
        e.before(below);
      }
      if (e.offsetTop !== home) {
        home = e.offsetTop;
        this.#glide(before);
      }
      e.style.transform = `translateY(${top - home}px)`;
      const edge = 64;
      if (at.clientY < edge) scrollBy(0, -12);
      if (at.clientY > innerHeight - edge) scrollBy(0, 12);
    };
    const end = (): void => {
      grip.removeEventListener('pointermove', move);
      for (const type of ends) grip.removeEventListener(type, end);
      const to = [...this.#element.children].indexOf(e);
      const fly = e.style.transform;
      e.style.transform = '';
      e.classList.remove('lifted');
      if (mayMove()) e.animate([{ transform: fly }, { transform: 'none' }], { duration: 120, easing: 'ease-out' });
      this.#lifted = undefined;
      if (to !== from) this.#move(id, to);
      if (this.#missed) {
        this.#missed = false;
        this.show(this.#items);
      }
    };
    grip.addEventListener('pointermove', move);
    for (const type of ends) grip.addEventListener(type, end);
  }
}
