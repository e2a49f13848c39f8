// Builds the board into web/board: what `topgun dev` serves. It imports the client that is served beside it.
// `node tools/board.mjs`, after the client's bundle.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
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
};
const version = createHash('sha256');
for (const text of [...Object.values(files), readFileSync(`${root}/../../web/client/topgun.js`, 'utf8')]) version.update(text);
files['offline.js'] = await bundle('src/offline.ts', {
  format: 'iife',
  define: { VERSION: JSON.stringify(version.digest('hex').slice(0, 16)) },
});
for (const [name, text] of Object.entries(files)) writeFileSync(`${to}/${name}`, text);
