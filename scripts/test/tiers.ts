// Which tier has a test file, as vitest.config.ts says.

export type Tier = 'quick' | 'full' | 'heavy' | 'interop' | 'smoke';

/** Whether `npm test` has the test file. */
export function isQuick(test: string): boolean {
  return runsIn(test, 'full') && !test.endsWith('.full.test.ts');
}

export function runsIn(test: string, tier: Tier): boolean {
  if (tier === 'quick') return isQuick(test);
  if (tier === 'full') return !/^test\/(heavy|interop)\//.test(test);
  return test.startsWith(tier === 'heavy' ? 'test/heavy/' : 'test/interop/');
}
