// Measures what applications have to load, minified and gzipped, and fails when a bundle is larger than its budget in
// size.json. `node tools/size.mjs`.
import { build } from 'esbuild';
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { bundleOptions, root } from './workspace.mjs';

const bundles = JSON.parse(readFileSync(`${root}/size.json`, 'utf8'));
let failed = false;
for (const { name, entry, imports, budget } of bundles) {
  if (!existsSync(`${root}/${entry}`)) continue;
  const { outputFiles } = await build({
    ...bundleOptions,
    stdin: { contents: `export ${imports ? `{ ${imports.join(', ')} }` : '*'} from './${entry}'`, resolveDir: root, loader: 'ts' },
    minify: true,
    write: false,
  });
  const text = outputFiles[0].contents;
  const size = gzipSync(text, { level: 9 }).length;
  const over = size > budget;
  failed ||= over;
  console.log(`${over ? 'OVER ' : 'ok   '} ${name}: ${size} of ${budget} bytes gzipped (${text.length} minified)`);
}
if (failed) {
  console.error('a bundle is larger than its budget in size.json: make it smaller, or say why it has to grow and change the budget');
  process.exit(1);
}
