// A flag for one context, by the same function that routes a request: what it answers is what a prediction would be assigned.

import { BUCKETS } from '../../registry/index.ts';
import { compileRoutes, type Route, routeColumns, type RoutedSpec, type RoutedTraffic } from '../../rollouts/index.ts';
import type { Flag, FlagPlan } from './flag.ts';
import { compileContext, type ContextFault, type FlagContext } from './flag-context.ts';

/** OpenFeature's words. */
export type FlagReason = 'TARGETING_MATCH' | 'SPLIT' | 'STATIC' | 'DEFAULT' | 'DISABLED';

export interface FlagEvaluation {
  readonly errorCode?: undefined;
  /** The arm's name, as answers have it: a variant's, or `experiment/arm`; of an experiment's flag the arm's own. */
  readonly value: string | null;
  readonly reason: FlagReason;
  readonly metadata: Readonly<Record<string, string | number>>;
}

type Evaluate = (context: FlagContext) => FlagEvaluation | ContextFault;

const compiled = new WeakMap<FlagPlan, Map<string, Evaluate>>();

export function evaluateFlag(flag: Flag, context: FlagContext): FlagEvaluation | ContextFault {
  let flags = compiled.get(flag.plan);
  if (flags === undefined) compiled.set(flag.plan, (flags = new Map()));
  const name = flag.experiment === null ? '' : flag.name;
  let evaluate = flags.get(name);
  if (evaluate === undefined) flags.set(name, (evaluate = compileFlag(flag)));
  return evaluate(context);
}

function compileFlag({ plan: { state, spec, requestColumns }, experiment }: Flag): Evaluate {
  const [traffic, routed]: [RoutedTraffic, RoutedSpec] =
    experiment === null
      ? [state, spec]
      : [{ name: '', salt: '', variants: [OUTSIDE], experiments: [experiment] }, { unit: experiment.unit }];
  const used = routeColumns(traffic, routed);
  const columns = requestColumns.filter(({ name }) => used.has(name));
  const routes = compileRoutes(traffic, routed, columns);
  const readContext = compileContext(columns, routed.unit);
  const place = { endpoint: state.name, revision: state.revision };
  return (context) => {
    if (traffic.variants.length === 0) return { value: null, reason: 'DISABLED', metadata: place };
    const read = readContext(context);
    if (read.fault !== undefined) return read.fault;
    const { row, requestId } = read;
    const unit = routes.unitOf(row, requestId);
    const route = routes.of(row, requestId, unit, routes.hashOf(unit));
    if (experiment !== null && route.experiment === null)
      return { value: null, reason: 'DEFAULT', metadata: { ...place, experiment: experiment.name } };
    const value = experiment === null ? (routes.arms[route.place]?.name ?? null) : route.variant;
    return { value, reason: REASONS[route.via], metadata: { ...place, ...metadataOf(route) } };
  };
}

/** Whoever is not in an experiment. */
const OUTSIDE = { name: 'outside', version: 0, weight: 100, ranges: [[0, BUCKETS]] } as const;

function metadataOf({ version, via, experiment, phase }: Route): FlagEvaluation['metadata'] {
  return { version, via, ...(experiment === null ? {} : { experiment, phase }) };
}

const REASONS: Readonly<Record<Route['via'], FlagReason>> = {
  forced: 'TARGETING_MATCH',
  rule: 'TARGETING_MATCH',
  holdout: 'SPLIT',
  experiment: 'SPLIT',
  rollout: 'SPLIT',
  base: 'STATIC',
  no_unit: 'DEFAULT',
};
