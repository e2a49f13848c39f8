// Checks the types of all packages, tests included. `node tools/typecheck.mjs`.
import { packages, tsc } from './workspace.mjs';

for (const dir of packages()) tsc('-p', dir, '--noEmit');
