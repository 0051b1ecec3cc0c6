// Keys that are kept to some endpoints, where no path names the endpoint: the gate has not looked then.

import { type Actor, HeadraceError, withoutKeySecrets } from '../../../core/index.ts';
import { mayUse } from './gate.ts';

/** Throws HR_FORBIDDEN. What its role allows the gate has checked. */
export function refuseOtherEndpoint(actor: Actor, endpoint: string): void {
  if (mayUse(actor, 'known', endpoint)) return;
  const asked = withoutKeySecrets(endpoint).slice(0, 100);
  throw new HeadraceError('HR_FORBIDDEN', `${actor.name} may not use endpoint "${asked}".`);
}
