// The generated reference pages, by file name.

import { cliPage } from './cli-page.ts';
import { configurationPage } from './configuration-page.ts';
import { definitionMistakesPage } from './definition-mistakes-page.ts';
import { errorsPage } from './errors-page.ts';

export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['cli.md', await cliPage()],
    ['configuration.md', configurationPage()],
    ['definition-mistakes.md', await definitionMistakesPage()],
    ['errors.md', errorsPage()],
  ]);
}
