import type { People, Person } from './people.js';

const birds = ['Heron', 'Swift', 'Kestrel', 'Wren', 'Finch', 'Egret', 'Plover', 'Merlin', 'Robin', 'Tern', 'Lark', 'Osprey', 'Martin', 'Avocet', 'Dipper', 'Siskin'];

/** Faces in the bar at most. */
const most = 4;

/** A name and a colour for somebody who has given none. */
export function anybody(random: () => number): { name: string; hue: number } {
  return { name: birds[Math.floor(random() * birds.length)] ?? 'Heron', hue: Math.floor(random() * 24) * 15 };
}

/** The faces in the bar: this page's own, whose name can be changed there, and the others'. */
export class Crowd {
  readonly #element: HTMLElement;
  readonly #people: People;
  readonly #name = document.createElement('input');
  readonly #others = document.createElement('span');

  constructor(element: HTMLElement, people: People, renamed: (name: string) => void) {
    this.#element = element;
    this.#people = people;
    const me = face(people.me);
    me.classList.add('me');
    this.#name.className = 'name';
    this.#name.maxLength = 24;
    this.#name.value = people.me.name;
    this.#name.setAttribute('aria-label', 'Your name');
    this.#name.title = 'Your name, as others see it';
    this.#name.addEventListener('change', () => {
      const name = this.#name.value.trim();
      if (name) renamed(name);
      this.#name.value = this.#people.me.name;
      const letter = me.firstElementChild;
      if (letter) letter.textContent = initial(this.#people.me.name);
    });
    this.#name.addEventListener('keydown', (e) => e.key === 'Enter' && this.#name.blur());
    me.append(this.#name);
    this.#others.className = 'people';
    this.#others.style.paddingLeft = '6px';
    element.append(me, this.#others);
    this.show();
  }

  show(): void {
    const others = this.#people.others();
    const faces: HTMLElement[] = others.slice(0, others.length > most ? most - 1 : most).map(face);
    if (others.length > faces.length) {
      const rest = document.createElement('span');
      rest.className = 'person rest';
      const count = document.createElement('span');
      count.className = 'face';
      count.textContent = `+${others.length - faces.length}`;
      rest.append(count);
      rest.title = others.map((o) => o.name).join(', ');
      faces.push(rest);
    }
    if (faces.length === 0) {
      const alone = document.createElement('span');
      alone.className = 'alone';
      alone.textContent = 'nobody else here';
      faces.push(alone);
    }
    this.#others.replaceChildren(...faces);
    this.#element.dataset['others'] = String(others.length);
  }
}

function face(p: Person): HTMLElement {
  const element = document.createElement('span');
  element.className = p.away ? 'person away' : 'person';
  element.style.setProperty('--hue', String(p.hue));
  const round = document.createElement('span');
  round.className = 'face';
  round.textContent = initial(p.name);
  round.setAttribute('role', 'img');
  round.setAttribute('aria-label', p.away ? `${p.name}, in the background` : p.name);
  round.title = p.away ? `${p.name} (window in the background)` : p.name;
  element.append(round);
  return element;
}

function initial(name: string): string {
  return ([...name.trim()][0] ?? '?').toUpperCase();
}
