// An app whose endpoints and experiments get seeds that are the same each time, so that a test's units are in the same arms in
// every run. Left to chance, a test that counts on some at each arm fails once in a while.

import type { App } from '../../src/app/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openExperiments } from '../../src/rollouts/index.ts';

export async function withFixedSeeds(app: App): Promise<App> {
  const seeds = (of: string) => {
    let made = 0;
    return (): string => `${of} ${++made}`;
  };
  const database = await app.database();
  const registry = await openRegistry(database, app.clock, seeds('endpoint'));
  const experiments = await openExperiments({ database, registry, clock: app.clock, newSeed: seeds('experiment') });
  return { ...app, registry: async () => registry, experiments: async () => experiments };
}
