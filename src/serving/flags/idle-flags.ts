// Flags that are defined and say nothing now: experiments that do not run, endpoints that this server can't answer by yet.

import type { Actor } from '../../core/index.ts';
import type { Manifest } from '../../definitions/index.ts';
import type { Flag } from './flag.ts';

export type IdleFlag = 'experiment' | 'endpoint';

/** By name, of those that may be seen. */
export function idleFlags(
  { endpoints, experiments = {} }: Pick<Manifest, 'endpoints' | 'experiments'>,
  flags: ReadonlyMap<string, Flag>,
  allowed: Actor['endpoints'],
): ReadonlyMap<string, IdleFlag> {
  const idle = new Map<string, IdleFlag>();
  const isSeen = (endpoint: string): boolean => allowed === null || allowed.has(endpoint);
  for (const name of Object.keys(endpoints)) if (!flags.has(name) && isSeen(name)) idle.set(name, 'endpoint');
  for (const [name, spec] of Object.entries(experiments)) {
    if (!flags.has(name) && !idle.has(name) && spec.endpoints.every(isSeen)) idle.set(name, 'experiment');
  }
  return idle;
}
