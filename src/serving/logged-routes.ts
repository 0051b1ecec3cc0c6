// What the prediction log is told of a row's route: made once for each route of a plan, so that a row costs a look-up.

import type { Field } from '../core/index.ts';
import type { RecordRoute } from '../monitoring/index.ts';
import type { EndpointState } from '../registry/index.ts';
import { compileUnitText, type Route, type UnitText } from '../rollouts/index.ts';

export interface LoggedRoute {
  readonly record: RecordRoute;
  /** The unit as the route's experiment assigned it; undefined without one. */
  readonly unitOf: UnitText | undefined;
}

/** `fallbackFrom`: the route's own arm where another stands in for it, for as long as that lasts. */
export type LoggedRoutes = (route: Route, fallbackFrom: string | null) => LoggedRoute;

export function compileLoggedRoutes(
  { experiments, revision, rollout }: Pick<EndpointState, 'experiments' | 'revision' | 'rollout'>,
  columns: readonly Field[],
): LoggedRoutes {
  const own = new WeakMap<Route, LoggedRoute>();
  const standIns = new WeakMap<Route, LoggedRoute>();
  // Compiled when first needed: an experiment that no row comes to costs nothing.
  const compile = ({ via, variant, experiment, phase }: Route, fallbackFrom: string | null): LoggedRoute => {
    const live = experiments.find(({ name }) => name === experiment);
    const isSplit = via === 'experiment' || via === 'rollout' || via === 'holdout';
    const record: RecordRoute = {
      via,
      assigned: variant,
      experiment: live?.name ?? null,
      phase: live === undefined ? null : phase,
      revision,
      fallbackFrom,
      unitFields: live?.unit ?? [],
      // The rows that a rollout's are held against have the whole traffic as long as it has none.
      keepsUnitsWhole: isSplit || (via === 'base' && rollout !== null),
    };
    return { record, unitOf: live === undefined ? undefined : compileUnitText(live.unit, columns) };
  };
  return (route, fallbackFrom) => {
    const known = fallbackFrom === null ? own : standIns;
    let logged = known.get(route);
    if (logged === undefined) known.set(route, (logged = compile(route, fallbackFrom)));
    return logged;
  };
}
