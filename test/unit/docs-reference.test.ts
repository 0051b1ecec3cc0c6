// The generated reference pages are what the code says; that of mistakes is held by `definitions-mistakes-page.test.ts`, which has
// each example's mistakes.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { REFERENCE_PAGES } from '../../scripts/docs/reference-pages.ts';

const { 'definition-mistakes.md': _elsewhere, ...pages } = REFERENCE_PAGES;

it.each(Object.entries(pages))('docs/reference/%s is what `npm run docs` writes', async (name, page) => {
  expect(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(await page());
});
