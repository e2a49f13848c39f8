import { isFields, type Value } from '../value.js';

/**
 * The value at a path of names joined by dots; undefined where there is none. Below an array a name is the index of an
 * element. Names may contain dots themselves: in every object along the way the longest name that spells the whole rest
 * of the path, or a part of it before a dot, is followed and no other.
 */
export function lookup(doc: unknown, path: string): Value | undefined {
  for (;;) {
    let end = path.length;
    if (Array.isArray(doc)) {
      const dot = path.indexOf('.');
      if (dot >= 0) end = dot;
      const index = path.slice(0, end);
      if (!/^(0|[1-9]\d{0,8})$/.test(index)) return undefined;
      doc = doc[Number(index)];
      if (doc === undefined) return undefined;
    } else if (isFields(doc)) {
      while (!Object.hasOwn(doc, path.slice(0, end))) {
        if (end <= 0 || (end = path.lastIndexOf('.', end - 1)) < 0) return undefined;
      }
      doc = doc[path.slice(0, end)];
    } else {
      return undefined;
    }
    if (end === path.length) return doc as Value;
    path = path.slice(end + 1);
  }
}

/** The attribute that stands for the key of the record. */
export const keyAttribute = '_key';

/** What an attribute is of a record: what there is at the path, or its key. */
export function attributeOf(key: string, document: unknown, attribute: string): Value | undefined {
  return attribute === keyAttribute ? key : lookup(document, attribute);
}

/** Those of the named fields that a document has. A name is a path, and stays the name of what it finds. */
export function project(doc: unknown, fields: readonly string[]): { readonly [name: string]: Value } {
  const found: [string, Value][] = [];
  if (isFields(doc)) {
    for (const f of fields) {
      const v = lookup(doc, f);
      if (v !== undefined) found.push([f, v]);
    }
  }
  return Object.fromEntries(found);
}
