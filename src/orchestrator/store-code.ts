// The code of a pipeline's steps in the artifact store: `apply` puts it there, and a run what was loaded and never applied.

import type { Definitions, PipelineSpec, StepAction } from '../definitions/index.ts';
import { type ObjectStore, putBlob } from '../storage/index.ts';

export async function storeCode(
  objects: ObjectStore,
  { bundles }: Pick<Definitions, 'bundles'>,
  { steps }: PipelineSpec,
): Promise<void> {
  for (const hash of codeOf({ steps })) {
    const text = bundles.get(hash);
    if (text !== undefined) await putBlob(objects, Buffer.from(text));
  }
}

/** The SHA-256 of each blob that its steps' code is in. */
export function codeOf({ steps }: Pick<PipelineSpec, 'steps'>): readonly string[] {
  return [...new Set(steps.flatMap(({ action }) => hashesOf(action)))];
}

function hashesOf(action: StepAction): readonly string[] {
  if (action.kind === 'task') return action.function.bundle === undefined ? [] : [action.function.bundle];
  return 'files' in action ? (action.files ?? []).map(({ hash }) => hash) : [];
}
