// The generated reference pages are what the code says.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { referencePages } from '../../scripts/docs/reference-pages.ts';

it('are written anew by `npm run docs` whenever a command, a setting or an error changes', async () => {
  for (const [name, text] of await referencePages()) {
    expect(
      readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8'),
      `docs/reference/${name}`,
    ).toBe(text);
  }
});
