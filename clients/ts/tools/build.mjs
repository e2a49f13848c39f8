// Builds the npm packages: dist/ of each, unbundled ES modules with declarations. `node tools/build.mjs`.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { packages, root, tsc } from './workspace.mjs';

for (const dir of packages()) {
  const project = `${dir}/tsconfig.build.json`;
  if (!existsSync(project)) continue;
  await rm(`${dir}/dist`, { recursive: true, force: true });
  tsc('-p', project);
}
await import('./bundle.mjs');
await import('./board.mjs');
