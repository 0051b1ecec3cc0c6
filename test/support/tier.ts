// Which tests run: the quick tier (`npm test`) proves every behaviour once; the full tier (`npm run test:full`) adds all
// adapters, all faults and properties at full size. CONTRIBUTING.md says what belongs where.

import { describe, it } from 'vitest';

/**
 * Whether nothing is left out: in the full tier, and in those that stand apart, heavy and interop. The quick tier leaves out what
 * is `full…`, as does the smoke of interop.
 */
export const isFull: boolean = !['quick', 'smoke'].includes(process.env['HEADRACE_TEST_TIER'] ?? 'quick');

/** How many runs of a property the quick tier makes at least. */
const LEAST_RUNS = 5;

const nothing = (): void => {};
/** Registers nothing, however it is called. */
const left: object = Object.assign((): void => {}, {
  each: () => nothing,
  for: () => nothing,
  skipIf: () => left,
  runIf: () => left,
});

/** A test of the full tier alone. The line above it names its quick twin: `// twin: FILE > NAME`. */
export const fullIt: typeof it = isFull ? it : (left as typeof it);

/** A group of tests of the full tier alone. The line above it names its quick twin: `// twin: FILE > NAME`. */
export const fullDescribe: typeof describe = isFull ? describe : (left as typeof describe);

/** Rows of a table of tests: `quick` in every tier, `more` in the full one alone. */
export function rows<Row>(quick: readonly Row[], more: readonly Row[]): readonly Row[] {
  return isFull ? [...quick, ...more] : quick;
}

/** Runs of a property: `full` in the full tier, a tenth of it, though at least five, in the quick one. */
export function runs(full: number): number {
  return isFull ? full : Math.min(full, Math.max(LEAST_RUNS, Math.ceil(full / 10)));
}
