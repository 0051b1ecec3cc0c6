// What an endpoint's rows are counted in by the minute: a series for each place that a row can be assigned to.

import type { Series } from '../monitoring/index.ts';
import { routedArms } from '../rollouts/index.ts';
import type { Arm } from './arm.ts';
import type { CompileEndpoint, ServedVariant } from './served-variants.ts';

/** By a route's place, whichever arm answers there. `arms`: those of `served`, in its order. */
export function minuteSeries(
  { state, minutes }: CompileEndpoint,
  served: readonly ServedVariant[],
  arms: readonly Arm[],
): readonly Series[] {
  const places = routedArms(state);
  // One arm alone is compared with nothing.
  const hasUnits = places.length > 1 || state.rollout !== null;
  return places.map(({ name, version }, place) => {
    const own = arms[served.findIndex((one) => one.place === place)];
    return minutes.arm({
      endpoint: state.name,
      variant: name,
      version,
      arm: own?.id ?? '',
      revision: state.revision,
      hasUnits,
    });
  });
}
