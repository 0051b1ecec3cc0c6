// Lines of the reading of sources and spines, each with a mistake in its place: a training set that is made with one must not pass
// its audit, which reads by a path of its own.

import type { createTrainingSet } from '../../src/offline/index.ts';
import { importEdited } from './edited-modules.ts';

/** By what a set is made then; `file` lies in src/offline. */
export const READING_MISTAKES = {
  'of a spine whose times were guessed': {
    file: 'training-sets/load-spine.ts',
    line: '  if (declared.length === 0) return scan;\n',
    instead: '  return scan;\n',
  },
  'with a value where the spine has none': {
    file: 'training-sets/load-spine.ts',
    line: 'AS SELECT *, row_number() OVER () - 1 AS __hr_spine, epoch_us(${at})',
    instead: "AS SELECT * REPLACE (coalesce(id, 'x') AS id), row_number() OVER () - 1 AS __hr_spine, epoch_us(${at})",
  },
  'by a rule that let a row take away one that was known before it': {
    file: 'checks/sound-rows.ts',
    line: "const order = ['__hr_known NULLS LAST', '__hr_event', ",
    instead: "const order = ['__hr_event', ",
  },
  'by a rule of values that let too much through': {
    file: 'checks/rule-sql.ts',
    line: '`${column} > ${literal(rule.max)}`',
    instead: "'false'",
  },
  'of lists that were rounded': {
    file: 'sources/sql-text.ts',
    line: '  return castOfItems(cast, type, (expression) => expression);',
    instead: '  return plain(type);',
  },
  'of texts that were no numbers': {
    file: 'sources/text-casts.ts',
    line: '      return wholeText(to, why);',
    instead: '      return { value: (text) => plainCast(text, to), refusals: [] };',
  },
  'of a time that no value can be': {
    file: 'sources/sql-text.ts',
    line: "refusals: times === 'any' ? [] : [far] };",
    instead: 'refusals: far && [] };',
  },
  'of rows before they were known': {
    file: 'facts/derived-columns.ts',
    line: 'THEN greatest(${known}, __hr_event, __hr_released) END`',
    instead: 'THEN greatest(__hr_event, __hr_released) END`',
  },
  'of a file with a row that its folder’s date denies': {
    file: 'facts/check-folders.ts',
    line: '  if (times !== undefined) refuseDenied(source, path, times);',
    instead: '',
  },
} as const;

export type ReadingMistake = keyof typeof READING_MISTAKES;

export interface MakesSets {
  readonly createTrainingSet: typeof createTrainingSet;
}

/** What makes training sets with the mistake. */
export function withMistake(mistake: ReadingMistake): Promise<MakesSets> {
  const { file, line, instead } = READING_MISTAKES[mistake];
  const edits = [{ file: `src/offline/${file}`, line, instead }];
  return importEdited<MakesSets>('src/offline/index.ts', mistake, { edits, own: ['src/offline/'] });
}
