// `npm run docs`: writes the reference pages that come from the code. A test holds the files against it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { REFERENCE_PAGES } from './docs/reference-pages.ts';

const folder = fileURLToPath(new URL('../docs/reference/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, page] of Object.entries(REFERENCE_PAGES)) {
  writeFileSync(`${folder}${name}`, await page());
  console.log(`docs/reference/${name}`);
}
