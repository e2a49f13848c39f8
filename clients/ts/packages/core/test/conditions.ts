// Answers files of conditions on records, as Go does.
import { compilePredicate, compileRegex, compileWhere, QueryError, type Test, type Value } from '../src/index.js';
import { fromJSON } from './vectors.js';

export interface ConditionFile {
  auth: unknown;
  records: { key: string; value: unknown }[];
  cases: { name: string; predicate?: unknown; where?: unknown; matches: string[] | null; error: { code: string; path: string } | null }[];
}

/** Fills in what follows. */
export function answer(f: ConditionFile): void {
  const env = { regex: compileRegex, auth: fromJSON(f.auth) };
  const records = f.records.map((r): [string, Value] => [r.key, fromJSON(r.value)]);
  for (const c of f.cases) {
    c.matches = c.error = null;
    let holds: Test;
    try {
      holds = c.where === undefined ? compilePredicate(fromJSON(c.predicate), env) : compileWhere(fromJSON(c.where), env);
    } catch (e) {
      if (!(e instanceof QueryError)) throw e;
      c.error = { code: e.code, path: e.path };
      continue;
    }
    c.matches = records.filter(([k, v]) => holds(k, v)).map(([k]) => k);
  }
}
