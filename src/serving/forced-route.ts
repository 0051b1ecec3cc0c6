// The arm that a request asks for by name, so that one who tries a variant sees that very one.

import { type Actor, didYouMeanOf, HeadraceError, invalid } from '../core/index.ts';
import type { Route, Routes } from '../rollouts/index.ts';

/** The request's header; a data plane's option in other protocols. */
export const FORCED_HEADER = 'x-headrace-variant';

/** Throws HR_FORBIDDEN for whoever may force none, HR_INVALID for a name that no arm has. */
export function forcedRoute(
  { routes, state }: { readonly routes: Pick<Routes, 'arms' | 'forced'>; readonly state: { readonly name: string } },
  name: string,
  actor: Pick<Actor, 'name' | 'roles'>,
): Route {
  if (!actor.roles.has('experiment')) {
    const sentence = `${actor.name} has no role experiment, which forcing a variant needs. Leave the header ${FORCED_HEADER} out, or use a key that has it.`;
    throw new HeadraceError('HR_FORBIDDEN', sentence);
  }
  const route = routes.forced(name);
  if (route !== undefined) return route;
  const known = routes.arms.map((arm) => arm.name);
  const message = `endpoint "${state.name}" has no variant "${name.slice(0, 80)}".${didYouMeanOf('variants', name.slice(0, 80), known)}`;
  throw invalid([{ path: FORCED_HEADER, message }]);
}
