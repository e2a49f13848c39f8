/** The element with an id, of a kind; the page has it. */
export function byId<E extends Element>(id: string, kind: new () => E): E {
  return must(document.getElementById(id), kind);
}

/** The first element inside another that a selector finds, of a kind; it is there. */
export function inside<E extends Element>(root: ParentNode, selector: string, kind: new () => E): E {
  return must(root.querySelector(selector), kind);
}

/** A copy of what a template holds. */
export function copy<E extends Element>(id: string, kind: new () => E): E {
  return must(byId(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true) ?? null, kind);
}

function must<E extends Element>(e: Node | null, kind: new () => E): E {
  if (e instanceof kind) return e;
  throw new Error(`the page has no ${kind.name} here`);
}

/** Sets a text where it differs, so that nothing is laid out or read out again. */
export function say(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** Whether things may move on the screen. */
export function mayMove(): boolean {
  return !matchMedia('(prefers-reduced-motion: reduce)').matches;
}
