// What is said of an online store that has not what runs filled.

import { describe, expect, it } from 'vitest';
import { storeLack, type StoreLackDeps } from '../../src/control/store-lack.ts';

interface Given {
  /** Versions, by name, and whether each is complete, filled by a run, and needed by somebody. */
  readonly versions: Readonly<Record<string, { isComplete?: boolean; isFilled?: boolean; isNeeded?: boolean }>>;
  /** Those whose mark the store has. */
  readonly marked?: readonly string[];
  readonly isApplied?: boolean;
}

async function lackOf({ versions, marked = [], isApplied = true }: Given) {
  const names = Object.keys(versions);
  // As much of each as is looked at.
  const deps = {
    registry: {
      definitions: { current: async () => (isApplied ? { manifest: { project: 'shop' } } : undefined) },
      versions: {
        list: async () =>
          names.map((version) => ({ version, completedMicros: versions[version]?.isComplete === false ? null : 1 })),
        needs: async () =>
          new Map(names.filter((name) => versions[name]?.isNeeded !== false).map((name) => [name, []])),
      },
    },
    runs: { filledVersions: async () => new Set(names.filter((name) => versions[name]?.isFilled !== false)) },
    store: { marks: async (version: string) => [{ node: 'n', run: marked.includes(version) ? 1 : undefined }] },
    storePlace: { project: 'shop', url: 'redis://here' },
  } as unknown as StoreLackDeps;
  return storeLack(deps);
}

describe('a store lacks', () => {
  it('nothing where it has the mark of every version, or nothing is applied', async () => {
    expect(await lackOf({ versions: { 'v@1': {} }, marked: ['v@1'] })).toBeUndefined();
    expect(await lackOf({ versions: { 'v@1': {} }, isApplied: false })).toBeUndefined();
  });

  it.each(['isComplete', 'isFilled', 'isNeeded'])('nothing of a version of which %s is false', async (what) => {
    expect(await lackOf({ versions: { 'v@1': { [what]: false } } })).toBeUndefined();
  });

  it('what it has no mark of, and is absent only where it has none at all', async () => {
    const versions = { 'v@1': {}, 'w@1': {} };
    expect(await lackOf({ versions })).toMatchObject({ isAbsent: true, says: expect.stringContaining('v@1, w@1 are') });
    const some = await lackOf({ versions, marked: ['w@1'] });
    expect(some).toMatchObject({ isAbsent: false, says: expect.stringContaining('v@1 is complete') });
    expect(some?.says).not.toContain('w@1');
  });
});
