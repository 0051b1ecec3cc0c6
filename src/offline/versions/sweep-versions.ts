// Takes the records of versions that are not kept any more, once no server reads them or folds into them. A sweep is a run of
// the version: it fences what still writes, and whoever fills the version again fences it.

import { type Clock, HeadraceError, type Logger } from '../../core/index.ts';
import { storedName } from '../../definitions/index.ts';
import { askForRun, type OnlineStore, type RunRow, type Runs } from '../../online/index.ts';
import type { Registry, ViewVersionRow } from '../../registry/index.ts';

export interface SweepDeps {
  readonly registry: Pick<Registry, 'definitions' | 'versions' | 'servers'>;
  readonly runs: Pick<Runs, 'registry' | 'ask' | 'dropSnapshots' | 'forget' | 'row'>;
  readonly store: Pick<OnlineStore, 'run' | 'notes'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Gives those that are left for later. Throws what the registry and the store say. */
export async function sweepVersions(deps: SweepDeps): Promise<readonly ViewVersionRow[]> {
  const { versions, servers } = deps.registry;
  const left: ViewVersionRow[] = [];
  for (const row of await versions.removed()) {
    const all = await servers.list(true);
    if (all.some(({ folds, reads }) => folds.includes(row.version) || reads.includes(row.version))) left.push(row);
    else await sweep(deps, row);
  }
  return left;
}

async function sweep(deps: SweepDeps, row: ViewVersionRow): Promise<void> {
  const { registry, runs, clock } = deps;
  const now = clock.nowMicros();
  const asked = { proposed: now, asOf: now, carriesWaiting: false, fingerprint: '', askedMicros: now };
  // Abandons what is unfinished. Whoever brings the version back and fills it asks after this.
  const run = await askForRun(deps, { view: row.view, version: row.version, ...asked });
  let isWhole = false;
  try {
    const isStill = ({ version, epoch }: ViewVersionRow): boolean => version === row.version && epoch === row.epoch;
    // One that came back before this run asked has lost nothing to it.
    if (!(await registry.versions.removed()).some(isStill)) return;
    try {
      await removeRecords(deps, row, run);
      isWhole = true;
    } finally {
      await registry.versions.swept(row, isWhole);
    }
  } catch (error) {
    if (!(error instanceof HeadraceError) || error.code !== 'HR_MATERIALIZE_BUSY') throw error;
  } finally {
    await runs.forget([run]);
  }
}

async function removeRecords({ registry, runs, store }: SweepDeps, row: ViewVersionRow, own: RunRow): Promise<void> {
  const manifest = await registry.definitions.byHash(row.manifestHash);
  const entity = manifest?.entities[manifest.views[row.view]?.entity ?? ''];
  if (entity === undefined) return;
  const isOpen = async (): Promise<boolean> => {
    const found = await runs.row(own.number);
    return found?.state === 'asked' && found.token === own.token;
  };
  const run = await store.run({
    version: row.version,
    entity: storedName(entity),
    run: own.number,
    registry: await runs.registry(),
    lifetimeMs: () => undefined,
    isOpen,
  });
  try {
    for (const node of run.nodes) {
      await run.begin(node);
      await run.remove(node);
    }
    await runs.dropSnapshots(row.version);
  } finally {
    await run.close();
  }
}
