// The generated reference pages, by file name.

import { cliPage } from './cli-page.ts';
import { configurationPage } from './configuration-page.ts';
import { definitionMistakesPage } from './definition-mistakes-page.ts';
import { errorsPage } from './errors-page.ts';

export const REFERENCE_PAGES = {
  'cli.md': cliPage,
  'configuration.md': configurationPage,
  'definition-mistakes.md': () => definitionMistakesPage(),
  'errors.md': errorsPage,
} as const;
