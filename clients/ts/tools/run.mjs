// Runs a TypeScript file: `node tools/run.mjs packages/core/test/answer.ts arguments...`.
import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { bundleOptions, root } from './workspace.mjs';

const [, , entry, ...args] = process.argv;
const outfile = `${root}/.build/run-${process.pid}.mjs`;
await build({ ...bundleOptions, entryPoints: [entry], outfile, platform: 'node', packages: 'external', sourcemap: 'inline' });
process.argv = [process.argv[0], entry, ...args];
try {
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(outfile, { force: true });
}
