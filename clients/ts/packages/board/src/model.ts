import type { MapHandle, TopGunClient, Write } from '@topgun/client';
import { between, isPlace, type Place } from './order.js';

/** One item, put together from the three maps. */
export interface Item {
  readonly id: string;
  readonly text: string;
  readonly done: boolean;
  readonly place: Place | undefined;
}

/** What the maps hold: a value, and whose write it is. */
export type Cell<T> = {
  readonly v: T;
  /** The name of the writer, for people. */
  readonly by: string;
  /** Which write of which page: "page:number". */
  readonly w: string;
};

export type Field = 'text' | 'done' | 'place';

/** Something that changed on the board. */
export interface Change {
  readonly id: string;
  readonly field: Field;
  /** What is there now; undefined when it was removed. */
  readonly cell: Cell<unknown> | undefined;
  /** Whether this page did it. */
  readonly own: boolean;
}

/** Who writes, for the cells. */
export interface Author {
  readonly page: string;
  readonly name: string;
}

/** Removals of which a page knows that they are its own. */
const most = 1_000;

/** What a removal is called where a write is named: it leaves no cell to hold the name. */
export function gone(id: string): string {
  return `-${id}`;
}

/** One act of a person: the writes that it took, and what they are called. */
export interface Act {
  readonly id: string;
  readonly tags: readonly string[];
  readonly writes: readonly Write[];
}

/**
 * The board. Text, done and place are three maps with the items' ids as keys, so that people who change different
 * things about one item do not overwrite each other. An item is there while it has a text.
 */
export class Board {
  readonly #text: MapHandle<Cell<string>>;
  readonly #done: MapHandle<Cell<boolean>>;
  readonly #place: MapHandle<Cell<Place>>;
  readonly #author: Author;
  readonly #random: () => number;
  #count = 0;
  /** Items that this page was the last to remove. */
  readonly #removed = new Set<string>();

  constructor(client: TopGunClient, author: Author, random: () => number) {
    this.#text = client.getMap('board.text');
    this.#done = client.getMap('board.done');
    this.#place = client.getMap('board.place');
    this.#author = author;
    this.#random = random;
  }

  /** Resolves when what this browser has kept is there. */
  async loaded(): Promise<void> {
    await Promise.all([this.#text.loaded, this.#done.loaded, this.#place.loaded]);
  }

  /** The items, in their order. */
  items(): Item[] {
    const items: Item[] = [];
    for (const [id, cell] of this.#text.entries()) {
      if (!isCell(cell) || typeof cell.v !== 'string') continue;
      const place: unknown = this.#place.get(id)?.v;
      items.push({ id, text: cell.v, done: this.#done.get(id)?.v === true, place: isPlace(place) ? place : undefined });
    }
    return items.sort(inOrder);
  }

  /** Calls back with all that changes, here and elsewhere. */
  subscribe(changed: (changes: Change[]) => void): void {
    const watch = (field: Field, map: MapHandle<Cell<unknown>>): void => {
      map.subscribe((_, changes) =>
        changed(
          changes.map(({ key, value }) => {
            const cell = isCell(value) ? value : undefined;
            return { id: key, field, cell, own: cell ? cell.w.startsWith(`${this.#author.page}:`) : this.#removed.has(key) };
          }),
        ),
      );
    };
    watch('text', this.#text);
    watch('done', this.#done);
    watch('place', this.#place);
  }

  /** Puts a new item behind another, or at the end. */
  add(id: string, text: string, behind?: string): Act {
    const items = this.items();
    const at = behind === undefined ? items.length : items.findIndex((i) => i.id === behind) + 1;
    const place = this.#between(items, at);
    return act(id, [this.#set(this.#place, id, place), this.#set(this.#text, id, text)]);
  }

  write(id: string, text: string): Act {
    return act(id, [this.#set(this.#text, id, text)]);
  }

  check(id: string, done: boolean): Act {
    return act(id, [this.#set(this.#done, id, done)]);
  }

  /** Moves an item to where it has so many others before it. */
  move(id: string, index: number): Act {
    const others = this.items().filter((i) => i.id !== id);
    return act(id, [this.#set(this.#place, id, this.#between(others, index))]);
  }

  remove(id: string): Act {
    if (this.#removed.size === most) this.#removed.clear();
    this.#removed.add(id);
    const writes = [this.#text.remove(id)];
    if (this.#done.get(id)) writes.push(this.#done.remove(id));
    if (this.#place.get(id)) writes.push(this.#place.remove(id));
    return { id, tags: [gone(id)], writes };
  }

  /** Puts an item back that was removed. */
  restore({ id, text, done, place }: Item): Act {
    const sets = [this.#set(this.#text, id, text)];
    if (done) sets.unshift(this.#set(this.#done, id, done));
    if (place !== undefined) sets.unshift(this.#set(this.#place, id, place));
    return act(id, sets);
  }

  /** A place with so many items before it. */
  #between(items: readonly Item[], index: number): Place {
    const before = items[index - 1]?.place;
    // Two who were offline may have taken the same place: then behind both.
    const after = items.slice(index).find((i) => i.place !== undefined && (before === undefined || i.place > before));
    return between(before, after?.place, this.#random);
  }

  #set<T>(map: MapHandle<Cell<T>>, id: string, v: T): Set {
    const w = `${this.#author.page}:${++this.#count}`;
    this.#removed.delete(id);
    return { tag: w, write: map.set(id, { v, by: this.#author.name, w }) };
  }
}

/** One write of an act that puts something. */
interface Set {
  readonly tag: string;
  readonly write: Write;
}

function act(id: string, sets: readonly Set[]): Act {
  return { id, tags: sets.map((s) => s.tag), writes: sets.map((s) => s.write) };
}

function inOrder(a: Item, b: Item): number {
  const x = a.place ?? '~';
  const y = b.place ?? '~';
  return x === y ? (a.id < b.id ? -1 : 1) : x < y ? -1 : 1;
}

/** Whether a value from elsewhere has the shape of a cell. */
function isCell(v: unknown): v is Cell<unknown> {
  if (typeof v !== 'object' || v === null) return false;
  const { by, w } = v as Partial<Cell<unknown>>;
  return typeof by === 'string' && typeof w === 'string';
}
