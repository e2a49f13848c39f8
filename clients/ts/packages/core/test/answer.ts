// Prints a file of conditions or of queries with their answers, for the comparison with Go in spec/vectors.
import { readFileSync } from 'node:fs';
import { compareUnits, groupRows, type Query, runQuery, type Value } from '../src/index.js';
import { answer, type ConditionFile } from './conditions.js';
import { fromJSON, toJSON } from './vectors.js';

interface QueryFile {
  records: { key: string; value: unknown }[];
  cases: { query: unknown; pages: { rows: { key: string; value: unknown }[]; more: boolean }[] | null }[];
}

/** Fills in the pages of each query. */
function answerQueries(f: QueryFile): void {
  const records = f.records.map((r): [string, Value] => [r.key, fromJSON(r.value)]).filter(([, v]) => v !== null);
  for (const c of f.cases) {
    const query = fromJSON(c.query) as Query;
    const limit = query.limit!;
    const { rows } = runQuery({ ...query, limit: 10_000 }, records, { groups: groupRows });
    c.pages = [];
    for (let at = 0; at === 0 || at < rows.length; at += limit) {
      const page = rows.slice(at, at + limit).map(({ key, value }) => ({ key, value: toJSON(value, compareUnits) }));
      c.pages.push({ rows: page, more: at + limit < rows.length });
    }
  }
}

const file = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ConditionFile | QueryFile;
if ('auth' in file) answer(file);
else answerQueries(file);
process.stdout.write(JSON.stringify(file));
