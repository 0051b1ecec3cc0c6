// Keys that are kept to some endpoints, where the request names the endpoint elsewhere than in its path: the gate has not looked
// then. What has a name of its own, and is of an endpoint, is not there for such a key.

import { type Actor, HeadraceError, withoutKeySecrets } from '../../../core/index.ts';
import { listed, mayUse } from './gate.ts';

/** Throws HR_FORBIDDEN. What its role allows the gate has checked. */
export function refuseOtherEndpoint(actor: Actor, endpoint: string): void {
  if (mayUse(actor, 'known', endpoint)) return;
  const asked = withoutKeySecrets(endpoint).slice(0, 100);
  throw new HeadraceError(
    'HR_FORBIDDEN',
    `${actor.name} may not use endpoint "${asked}"; it may use ${listed(actor.endpoints)}.`,
  );
}
