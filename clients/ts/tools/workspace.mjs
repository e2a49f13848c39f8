// What the other tools here have in common: where things are, and how the compiler is called.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** The directories of the packages. */
export function packages() {
  return readdirSync(`${root}/packages`)
    .map((name) => `${root}/packages/${name}`)
    .filter((dir) => existsSync(`${dir}/package.json`));
}

/** Runs a program and ends this one when it fails. */
export function run(program, ...args) {
  const { status, error } = spawnSync(program, args, { stdio: 'inherit', cwd: root });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs the TypeScript compiler. */
export function tsc(...args) {
  run(process.execPath, `${root}/node_modules/typescript/bin/tsc`, ...args);
}

/** How every bundle is made. */
export const bundleOptions = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  conditions: ['topgun-source'],
  absWorkingDir: root,
  logLevel: 'warning',
};
