// `npm run docs`: writes the reference pages that come from the code. A test holds the files against it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { referencePages } from './docs/reference-pages.ts';

const folder = fileURLToPath(new URL('../docs/reference/', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, text] of await referencePages()) {
  writeFileSync(`${folder}${name}`, text);
  console.log(`docs/reference/${name}`);
}
