// Which tier has a test file, as vitest.config.ts says, and its limits of time.

export type Tier = 'quick' | 'full' | 'heavy' | 'interop' | 'smoke';

/** A net that ends a test which hangs. No test waits for it, so it is many times what the slowest takes on a busy machine. */
export const TEST_LIMIT_MS: Readonly<Record<Tier, number>> = {
  quick: 120_000,
  full: 600_000,
  heavy: 1_800_000,
  interop: 300_000,
  smoke: 300_000,
};

/** Whether `npm test` has the test file. */
export function isQuick(test: string): boolean {
  return runsIn(test, 'full') && !test.endsWith('.full.test.ts');
}

export function runsIn(test: string, tier: Tier): boolean {
  if (tier === 'quick') return isQuick(test);
  if (tier === 'full') return !/^test\/(heavy|interop)\//.test(test);
  return test.startsWith(tier === 'heavy' ? 'test/heavy/' : 'test/interop/');
}
