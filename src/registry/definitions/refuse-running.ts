// What a running experiment uses stays: definitions that would take it away are refused, whoever says yes.

import { HeadraceError } from '../../core/index.ts';
import { type Manifest, own } from '../../definitions/index.ts';
import { readEndpoints } from '../endpoint-rows.ts';
import type { RegistryDb } from '../store.ts';

/** Throws HR_EXPERIMENT_RUNNING. What runs goes on by what it was started with, so its other members may change. */
export async function refuseRunning(trx: RegistryDb, after: Manifest): Promise<void> {
  for (const { name, model, experiments, change } of await readEndpoints(trx)) {
    const asked = change?.state === 'preparing' ? change.experiments : [];
    for (const { name: experiment } of [...experiments, ...asked]) {
      const endpoint = own(after.endpoints, name);
      const lost =
        own(after.experiments ?? {}, experiment) === undefined
          ? `experiment "${experiment}"`
          : endpoint === undefined
            ? `endpoint "${name}"`
            : endpoint.model === model
              ? undefined
              : `model "${model}" at endpoint "${name}"`;
      if (lost === undefined) continue;
      throw new HeadraceError(
        'HR_EXPERIMENT_RUNNING',
        `these definitions take ${lost} away, and experiment "${experiment}" runs on endpoint "${name}". Stop it first: headrace experiments stop ${experiment}`,
      );
    }
  }
}
