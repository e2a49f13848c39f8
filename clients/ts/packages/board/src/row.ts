import { copy, inside } from './dom.js';
import type { Item } from './model.js';

/** What a row asks for; the id is that of its item. */
export interface RowEvents {
  check(id: string, done: boolean): void;
  write(id: string, text: string): void;
  /** Enter: something is to follow this item. */
  next(id: string): void;
  remove(id: string, byKey: boolean): void;
  /** Moves the item by so many places. */
  shift(id: string, by: number): void;
  /** Moves the focus by so many rows. */
  walk(id: string, by: number): void;
  /** The text got or lost the focus. */
  at(id: string | undefined): void;
  lift(id: string, e: PointerEvent): void;
}

/** Typing is written this often, in milliseconds. */
const often = 120;

/** How long a mark stays, in milliseconds. */
const marked = 3_200;

/** One item on the screen. */
export class Row {
  readonly id: string;
  readonly element: HTMLLIElement;
  /** The latest act on the item that the mark is about. */
  latest = -1;
  readonly #grip: HTMLButtonElement;
  readonly #done: HTMLInputElement;
  readonly #text: HTMLTextAreaElement;
  readonly #mark: HTMLElement;
  readonly #remove: HTMLButtonElement;
  readonly #events: RowEvents;
  /** What the board says the text is. */
  #known = '';
  #typed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #fade: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, events: RowEvents) {
    this.id = id;
    this.#events = events;
    this.element = copy('row', HTMLLIElement);
    this.element.dataset['id'] = id;
    this.#grip = inside(this.element, '.grip', HTMLButtonElement);
    this.#done = inside(this.element, '.done', HTMLInputElement);
    this.#text = inside(this.element, '.text', HTMLTextAreaElement);
    this.#mark = inside(this.element, '.mark', HTMLElement);
    this.#remove = inside(this.element, '.remove', HTMLButtonElement);
    this.#listen();
  }

  get text(): string {
    return this.#text.value;
  }

  show(item: Item, index: number, of: number): void {
    this.#known = item.text;
    if (this.#done.checked !== item.done) this.#done.checked = item.done;
    if (!this.#typed && this.#text.value !== item.text) this.#fill(item.text);
    const name = item.text === '' ? 'empty item' : item.text.slice(0, 60);
    label(this.#done, `Done: ${name}`);
    label(this.#text, `Item ${index + 1} of ${of}`);
    label(this.#grip, `Move ${name}, ${index + 1} of ${of}. Arrow keys move it.`);
    label(this.#remove, `Remove ${name}`);
  }

  /** Shows for a moment what became of it. A mark with a hue is about somebody else. */
  mark(step: string, text: string, stays: boolean, hue?: number): void {
    this.#mark.dataset['step'] = step;
    this.#mark.textContent = text;
    this.#mark.classList.add('shown');
    if (hue !== undefined) this.element.style.setProperty('--hue', String(hue));
    clearTimeout(this.#fade);
    this.#fade = stays ? undefined : setTimeout(() => this.#mark.classList.remove('shown'), marked);
  }

  /** Lights up in somebody's colour. */
  flash(hue: number): void {
    this.element.style.setProperty('--hue', String(hue));
    this.element.classList.remove('told');
    void this.element.offsetWidth; // begins the animation again
    this.element.classList.add('told');
  }

  /** Shows who is editing it. */
  editor(hue: number | undefined): void {
    this.element.classList.toggle('edited', hue !== undefined);
    if (hue !== undefined) this.element.style.setProperty('--hue', String(hue));
  }

  focus(where: 'text' | 'grip' = 'text'): void {
    if (where === 'grip') return this.#grip.focus();
    this.#text.focus();
    this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
  }

  /** Writes what was typed and is not written yet. */
  flush(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = clean(this.#text.value);
    if (text === this.#known) return;
    this.#known = text;
    this.#events.write(this.id, text);
  }

  #fill(text: string): void {
    const { selectionStart, selectionEnd } = this.#text;
    this.#text.value = text;
    if (document.activeElement === this.#text) this.#text.setSelectionRange(selectionStart, selectionEnd);
    this.#grow();
  }

  /** For browsers that do not fit a text area to its text by themselves. */
  #grow(): void {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  #listen(): void {
    const { id } = this;
    const events = this.#events;
    this.#done.addEventListener('change', () => events.check(id, this.#done.checked));
    this.#remove.addEventListener('click', () => events.remove(id, false));
    this.#grip.addEventListener('pointerdown', (e) => e.button === 0 && events.lift(id, e));
    this.#grip.addEventListener('keydown', (e) => {
      const by = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity }[e.key];
      if (by === undefined) return;
      e.preventDefault();
      events.shift(id, by);
    });
    this.#text.addEventListener('input', () => {
      this.#typed = true;
      this.#grow();
      this.#timer ??= setTimeout(() => this.flush(), often);
    });
    this.#text.addEventListener('focus', () => events.at(id));
    this.#text.addEventListener('blur', () => {
      this.flush();
      this.#typed = false;
      if (this.#text.value !== this.#known) this.#fill(this.#known);
      events.at(undefined);
    });
    this.#text.addEventListener('keydown', (e) => this.#key(e));
  }

  #key(e: KeyboardEvent): void {
    if (e.isComposing) return;
    const { id } = this;
    const text = this.#text;
    const act = ((): (() => void) | undefined => {
      switch (e.key) {
        case 'Enter':
          if (e.ctrlKey || e.metaKey) return () => this.#done.click();
          return () => this.#events.next(id);
        case 'Backspace':
          return text.value === '' ? () => this.#events.remove(id, true) : undefined;
        case 'ArrowUp':
          if (e.altKey) return () => this.#events.shift(id, -1);
          return text.selectionStart === text.selectionEnd && !wraps(text) ? () => this.#events.walk(id, -1) : undefined;
        case 'ArrowDown':
          if (e.altKey) return () => this.#events.shift(id, 1);
          return text.selectionStart === text.selectionEnd && !wraps(text) ? () => this.#events.walk(id, 1) : undefined;
        case 'Escape':
          return () => text.blur();
        default:
          return undefined;
      }
    })();
    if (!act) return;
    e.preventDefault();
    this.flush();
    act();
  }
}

/** Whether a text takes more than a line: then the arrow keys walk inside it. */
function wraps(text: HTMLTextAreaElement): boolean {
  return text.clientHeight > 60;
}

/** An item is one paragraph. */
function clean(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

function label(e: Element, text: string): void {
  if (e.getAttribute('aria-label') !== text) e.setAttribute('aria-label', text);
}
