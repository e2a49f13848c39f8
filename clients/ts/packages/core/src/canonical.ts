import { Ext, type Value } from './value.js';

/**
 * The text of a value in the entry hash of an observed-remove map: scalars as String() writes them, containers as
 * JSON.stringify(v, names) with the sorted names of the value's own top level, which admits those names at every depth
 * and no others. Bytes count as the object of their indexes, extensions as an empty one.
 */
export function canonical(v: Value | undefined): string {
  if (typeof v === 'bigint') return String(Number(v));
  if (typeof v !== 'object' || v === null) return String(v);
  return json(v, v instanceof Ext ? [] : Object.keys(v).sort());
}

function json(v: Value, names: readonly string[]): string {
  if (typeof v === 'bigint') v = Number(v);
  if (typeof v !== 'object' || v === null) return JSON.stringify(v);
  if (v instanceof Ext) return '{}';
  if (Array.isArray(v)) return `[${v.map((e: Value) => json(e, names)).join()}]`;
  const fields = v as { readonly [name: string]: Value };
  const out: string[] = [];
  for (const n of names) if (Object.hasOwn(fields, n)) out.push(`${JSON.stringify(n)}:${json(fields[n]!, names)}`);
  return `{${out.join()}}`;
}
