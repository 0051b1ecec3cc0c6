// Prepares a run for another system to drive: its code, what it goes by and the orders of the steps that can begin lie in the artifact
// store then, and the registry has a row of it that no driver takes.

import { canonicalJson, HeadraceError } from '../../core/index.ts';
import type { Definitions } from '../../definitions/index.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import { newRunId } from '../run-id.ts';
import { resolveParams } from '../run-params.ts';
import { findPipeline } from '../find-pipeline.ts';
import { codeOf, storeCode } from '../store-code.ts';
import { checkRunId, readRunDocument, type RunDocument, runKey, storeRunDocument } from './run-document.ts';
import { findRun, type SyncDeps, type SyncedRun, syncRun } from './sync-run.ts';

export interface PrepareRun {
  readonly pipeline: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Left out: a new one. The same again is the same run. */
  readonly id?: string;
  readonly keepGoing?: boolean;
  /** Who prepares it. */
  readonly by: string;
}

/**
 * Throws HR_UNKNOWN_PIPELINE, HR_INVALID for its parameters or id, HR_CONFLICT where a run of that id goes by something else,
 * HR_STORAGE_UNAVAILABLE.
 */
export async function prepareElsewhere(
  deps: SyncDeps & { readonly definitions: Definitions },
  request: PrepareRun,
): Promise<SyncedRun> {
  const { objects, definitions, clock } = deps;
  const pipeline = findPipeline(definitions, request.pipeline);
  const params = resolveParams(pipeline, request.params ?? {});
  const createdAt = clock.nowMicros();
  const id = request.id ?? newRunId(createdAt);
  checkRunId(id);
  const known = await findRun(await openRunStore(deps.database, clock), id);
  if (known !== undefined && known.run.elsewhere === null)
    throw new HeadraceError('HR_CONFLICT', `there is a run ${id} that is driven here; take another id`);
  await storeCode(objects, definitions, pipeline);
  const document: RunDocument = {
    run: id,
    pipeline,
    params,
    definitions: definitions.hash,
    code: codeOf(pipeline),
    keepGoing: request.keepGoing ?? false,
    by: request.by,
    createdAt,
  };
  if (!(await storeRunDocument(objects, document))) {
    const first = await readRunDocument(objects, id);
    if (first !== undefined && whatItGoesBy(first) !== whatItGoesBy(document)) {
      const sentence = `run ${id} was prepared before, by ${first.by}, and goes by other code, parameters or settings, as ${runKey(id)} says; take another id`;
      throw new HeadraceError('HR_CONFLICT', sentence);
    }
  }
  return await syncRun(deps, id);
}

function whatItGoesBy({ pipeline, params, keepGoing }: RunDocument): string {
  return canonicalJson({ pipeline, params, keepGoing });
}
