// Registers a new writer: its number is above each that the online store has seen, its way into the store is open, and so is
// its first cut.

import { HeadraceError } from '../core/index.ts';
import type { CutView, LogWriter, SeenWriter } from '../events/index.ts';
import { readOwnNotes, reportForgotten, type StoreWriter } from '../online/index.ts';
import { readCutView } from './cut-view.ts';
import type { IngestionDeps } from './ingestion-deps.ts';
import { publishSchemas } from './publish-schemas.ts';
import type { SourcePlans } from './source-plan.ts';

/** A new writer with its first cut open. What was begun when that fails is left to whoever settles. */
export async function openLog(
  deps: IngestionDeps,
  readPlans: () => Promise<SourcePlans>,
  link: {
    lifetimeMs(entity: string, plans: SourcePlans): number | undefined;
    onNode(node: string): void;
  },
): Promise<{
  readonly log: LogWriter;
  readonly store: StoreWriter;
  readonly view: CutView;
  readonly first: SourcePlans;
}> {
  const registry = await deps.runs.registry();
  const log = await deps.log.register(await seenWriter(deps, registry));
  let store: StoreWriter | undefined;
  try {
    const first = await readPlans();
    store = await deps.store.writer({
      writer: log.writer,
      holder: log.holder,
      owner: { registry, token: log.token },
      lifetimeMs: (entity) => link.lifetimeMs(entity, first),
      onNode: (node) => link.onNode(node),
    });
    await publishSchemas(deps.schemas, first);
    const view = await readCutView(deps.runs, first);
    await log.openCut(view);
    return { log, store, view, first };
  } catch (error) {
    await store?.close();
    await log.close();
    throw error;
  }
}

/**
 * The greatest writer number that the store has seen. A store that is away is not waited for: where the number is another
 * writer's, the store says so at the first part. Throws HR_OTHER_REGISTRY.
 */
export async function seenWriter(
  { store, logger }: Pick<IngestionDeps, 'store' | 'logger'>,
  registry: string,
): Promise<SeenWriter | undefined> {
  try {
    const { writer: number } = await readOwnNotes(store, registry);
    return { number, onForgotten: (last) => reportForgotten(logger, 'writer', number, last) };
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_ONLINE_UNAVAILABLE') return undefined;
    throw error;
  }
}
