// Prints a file of conditions with their answers, for the comparison with Go in spec/vectors.
import { readFileSync } from 'node:fs';
import { answer, type ConditionFile } from './conditions.js';

const file = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ConditionFile;
answer(file);
process.stdout.write(JSON.stringify(file));
