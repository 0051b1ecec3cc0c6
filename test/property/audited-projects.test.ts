// Random projects of files in all their forms, pushes, rules and releases: the training set of each holds what the naive oracle
// computes, and its audit is clean. Where a file holds what must be refused, no set is made of it. A set that is made with a mistake in
// the reading is refused by its audit.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { auditTrainingSet, createTrainingSet } from '../../src/offline/index.ts';
import { worldOfAll } from '../support/offline-world.ts';
import { expectRows } from '../support/oracle.ts';
import { makeProject, randomProject, type RandomProject, SET_COLUMNS } from '../support/random-projects.ts';
import { type MakesSets, type ReadingMistake, withMistake } from '../support/reading-mistakes.ts';
import { rows, runs } from '../support/tier.ts';

/** Times are guessed wrongly past the first 20,480 rows of a spine alone, which are more than these have. */
type ShownMistake = Exclude<ReadingMistake, 'of a spine whose times were guessed'>;
/** Projects whose sets go wrong by a mistake. Whoever changes what a seed gives searches anew. */
const CAUGHT_BY: Readonly<Record<ShownMistake, number>> = {
  'with a value where the spine has none': 2,
  'by a rule that let a row take away one that was known before it': 20,
  'by a rule of values that let too much through': 17,
  'of lists that were rounded': 7,
  'of texts that were no numbers': 25,
  'of a time that no value can be': 77,
  'of rows before they were known': 2,
  'of a file with a row that its folder’s date denies': 89,
};
// Their keys are the mistakes.
const CAUGHT = Object.entries(CAUGHT_BY) as [ShownMistake, number][];

const world = worldOfAll();
let made = 0;

const codeOf = (error: unknown): string => {
  if (error instanceof HeadraceError) return error.code;
  throw error;
};

/** What comes of the project: the code of the error with which the set or its audit is refused, or "clean". */
async function outcomeOf(
  given: RandomProject,
  by: MakesSets,
): Promise<{ readonly outcome: string; readonly isSpoiled: boolean }> {
  const project = await makeProject(world, `project-${made++}`, given);
  const { deps, request, isSpoiled, expected } = project;
  try {
    const set = await by.createTrainingSet(deps, request).catch(codeOf);
    if (typeof set === 'string') return { outcome: set, isSpoiled };
    if (by.createTrainingSet === createTrainingSet)
      expectRows(SET_COLUMNS, await world.read(request.out, SET_COLUMNS), expected);
    const audit = await auditTrainingSet(deps, set.id).catch(codeOf);
    return { outcome: typeof audit === 'string' ? audit : 'clean', isSpoiled };
  } finally {
    await project.remove();
  }
}

const sampleOf = (seed: number): RandomProject =>
  fc.sample(randomProject, { seed, numRuns: 1, unbiased: true })[0] as RandomProject;

describe('the audit of a random project’s training set', () => {
  it('is clean, and the set holds what the oracle computes; what must be refused is', async () => {
    await fc.assert(
      fc.asyncProperty(randomProject, async (given) => {
        const { outcome, isSpoiled } = await outcomeOf(given, { createTrainingSet });
        expect(isSpoiled ? ['clean', 'HR_SOURCE_UNREADABLE'] : ['clean']).toContain(outcome);
      }),
      { numRuns: runs(60) },
    );
  }, 120_000);

  it.each(rows(CAUGHT.slice(0, 2), CAUGHT.slice(2)))(
    'is refused where the set was made %s (seed %i)',
    async (mistake, seed) => {
      const given = sampleOf(seed);
      expect((await outcomeOf(given, await withMistake(mistake))).outcome).toBe('HR_AUDIT_FAILED');
      expect((await outcomeOf(given, { createTrainingSet })).outcome).not.toBe('HR_AUDIT_FAILED');
    },
  );
});
