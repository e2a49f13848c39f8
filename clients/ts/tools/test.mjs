// Runs the tests of all packages with Node's own runner: each test/**/*.test.ts is bundled into .build/ and run from
// there. `node tools/test.mjs [part of a file name] [-- options of node --test]`.
import { build } from 'esbuild';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { bundleOptions, packages, root, run } from './workspace.mjs';

const split = process.argv.indexOf('--');
const names = process.argv.slice(2, split < 0 ? undefined : split);
const options = split < 0 ? [] : process.argv.slice(split + 1);

const tests = packages()
  .map((dir) => `${dir}/test`)
  .filter(existsSync)
  .flatMap((dir) => readdirSync(dir, { recursive: true }).map((name) => `${dir}/${name}`))
  .filter((file) => file.endsWith('.test.ts') && names.every((n) => file.includes(n)));
if (!tests.length) {
  console.error(`no test file has ${names.join(' and ')} in its name`);
  process.exit(1);
}

const out = `${root}/.build/test`;
await rm(out, { recursive: true, force: true });
await build({
  ...bundleOptions,
  entryPoints: tests,
  outdir: out,
  outbase: `${root}/packages`,
  outExtension: { '.js': '.mjs' },
  platform: 'node',
  external: ['fast-check'],
  sourcemap: 'inline',
});
const files = tests.map((file) => `${out}/${relative(`${root}/packages`, file).replace(/\.ts$/, '.mjs')}`);
run(process.execPath, '--enable-source-maps', '--experimental-websocket', '--test', '--test-reporter=spec', ...options, ...files);
