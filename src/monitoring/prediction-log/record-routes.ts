// Routes compiled for an arm's records, by their identity: the bytes that each of their records has, in what share they are
// logged, whether the experiment's unit may stand there.

import { type RecordRoute } from './prediction-log.ts';
import { packRoute } from './record-route.ts';
import type { SampleRule } from './sample-rules.ts';
import { compileShare, type SampledArm, type ShareOf } from './sampling.ts';

export interface CompiledRoute {
  readonly bytes: Uint8Array;
  readonly shareOf: ShareOf;
  readonly hidesUnit: boolean;
}

/** `isRedacted`: whether a column's values are not logged. */
export function compileRecordRoutes(
  arm: SampledArm,
  rules: readonly SampleRule[],
  isRedacted: (column: string) => boolean,
): (route: RecordRoute | null) => CompiledRoute {
  const compile = (route: RecordRoute | null): CompiledRoute => ({
    bytes: packRoute(route),
    shareOf: compileShare(rules, arm, route),
    hidesUnit: route?.unitFields.some(isRedacted) === true,
  });
  const none = compile(null);
  const compiled = new WeakMap<RecordRoute, CompiledRoute>();
  // Mostly it is the one of the row before.
  let last: RecordRoute | null = null;
  let lastCompiled = none;
  return (route) => {
    if (route === last) return lastCompiled;
    let found = route === null ? none : compiled.get(route);
    if (found === undefined && route !== null) compiled.set(route, (found = compile(route)));
    last = route;
    return (lastCompiled = found ?? none);
  };
}
