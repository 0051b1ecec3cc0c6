// Which versions of its model an endpoint needs: what answers, what shadows, the arms of its experiments, and what is asked for.

import type { EndpointState } from './endpoint-rows.ts';

/** Model versions that an endpoint answers by or shadows with, or is to. */
export function versionsIn({ change, ...state }: EndpointState): ReadonlySet<number> {
  const traffics = change?.state === 'preparing' ? [state, change] : [state];
  return new Set(
    traffics.flatMap(({ variants, shadows, experiments }) =>
      [...variants, ...shadows, ...experiments.flatMap(({ arms }) => arms)].map(({ version }) => version),
    ),
  );
}
