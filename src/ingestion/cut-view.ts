// What a cut's mark must hold: the boundaries in force of every live view's version, read from the registry.

import type { CutView } from '../events/index.ts';
import { boundariesInForce, type Runs } from '../online/index.ts';
import type { SourcePlans } from './source-plan.ts';

/** To be read after the writer was registered, and anew for each cut. */
export async function readCutView(runs: Pick<Runs, 'inForce'>, plans: SourcePlans): Promise<CutView> {
  const versions = plans.live().map(({ codec }) => codec.version);
  const found = await Promise.all(
    versions.map(async (version) => [version, boundariesInForce(await runs.inForce(version))] as const),
  );
  return new Map(found);
}

/** The view without versions for which `isWanted` says no. */
export function narrowed(view: CutView, isWanted: (version: string) => boolean): CutView {
  return new Map([...view].filter(([version]) => isWanted(version)));
}
