// What an apply would refuse whoever says yes, for the plan that comes before it.

import { HeadraceError } from '../../core/index.ts';
import type { Manifest } from '../../definitions/index.ts';
import type { RegistryDb } from '../store.ts';
import { refuseRunning } from './refuse-running.ts';
import { refuseUnderRollout } from './refuse-under-rollout.ts';

/** Told as apply would tell it, were it now. */
export interface Refusal {
  readonly code: 'HR_EXPERIMENT_RUNNING' | 'HR_ROLLOUT_UNDERWAY';
  readonly message: string;
}

/** Of an experiment that runs and of rollouts that are under way; none: apply may go ahead. */
export async function findRefusals(db: RegistryDb, manifest: Manifest): Promise<readonly Refusal[]> {
  const found: Refusal[] = [];
  for (const refuse of [refuseRunning, refuseUnderRollout]) {
    try {
      await refuse(db, manifest);
    } catch (thrown) {
      if (!(thrown instanceof HeadraceError)) throw thrown;
      const { code, message } = thrown;
      if (code !== 'HR_EXPERIMENT_RUNNING' && code !== 'HR_ROLLOUT_UNDERWAY') throw thrown;
      found.push({ code, message });
    }
  }
  return found;
}
