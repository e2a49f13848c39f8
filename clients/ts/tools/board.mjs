// Builds the board into web/board: what `topgun dev` serves. It imports the client that is served beside it.
// `node tools/board.mjs`.
import { build } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { bundleOptions, root } from './workspace.mjs';

const from = `${root}/packages/board`;
const to = `${root}/../../web/board`;

/** The client is not bundled again: the server has it at this path. */
const served = {
  name: 'served',
  setup: ({ onResolve }) => onResolve({ filter: /^@topgun\/client$/ }, () => ({ path: '/topgun.js', external: true })),
};

async function bundle(entry, options) {
  const { outputFiles } = await build({ ...bundleOptions, entryPoints: [`${from}/${entry}`], minify: true, write: false, ...options });
  return outputFiles[0].text;
}

const files = {
  'index.html': readFileSync(`${from}/page/index.html`, 'utf8'),
  'board.js': await bundle('src/main.ts', { plugins: [served] }),
  'board.css': await bundle('page/board.css', { target: ['chrome120', 'firefox128', 'safari17'] }),
  'board.svg': readFileSync(`${from}/page/board.svg`, 'utf8'),
  'board.webmanifest': readFileSync(`${from}/page/board.webmanifest`, 'utf8'),
  'offline.js': await bundle('src/offline.ts', { format: 'iife' }),
};
for (const [name, text] of Object.entries(files)) writeFileSync(`${to}/${name}`, text);
