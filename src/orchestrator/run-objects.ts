// What runs need of the object store: each task's output, the files that it names, and what its attempts printed.

import type { Kysely } from 'kysely';
import { HeadraceError } from '../core/index.ts';
import { blobKey, getBlob, type Need, type ObjectStore, type ObjectUse, type RowsOwner } from '../storage/index.ts';
import { logKey } from './run-logs.ts';
import type { OrchestratorTables } from './run-tables.ts';

const FILE = /"sha256":"([0-9a-f]{64})"/g;
const BLOB_NAME = /\b[0-9a-f]{64}\b/g;

const TRAINING_SET = /"id":"([0-9a-f]{16})"/g;

/** Of all runs that are kept, whatever became of them: one that failed may be resumed. Outputs never change: each is read once. */
export function pipelineRows(objects: ObjectStore): RowsOwner {
  const texts = new Map<string, Promise<string>>();
  const textOf = (output: string): Promise<string> => {
    const known = texts.get(output) ?? readText(objects, output);
    texts.set(output, known);
    return known;
  };
  return {
    table: 'orchestrator_runs',
    objects: (db) => runObjects(db, textOf),
    needs: (db) => runNeeds(db, textOf),
  };
}

type TextOf = (output: string) => Promise<string>;

async function outputsOf(db: Kysely<OrchestratorTables>) {
  const rows = await db
    .selectFrom('orchestrator_tasks')
    .select(['run_id', 'step', 'output'])
    .where('output', 'is not', null)
    .orderBy('run_id')
    .execute();
  return rows.map(({ output, ...row }) => ({ ...row, output: output as string })); // Those that are not null.
}

async function* runObjects(opened: Kysely<unknown>, textOf: TextOf): AsyncIterable<ObjectUse> {
  // The orchestrator's own tables are in it.
  const db = opened as Kysely<OrchestratorTables>;
  for (const { run_id: run, step, output } of await outputsOf(db)) {
    yield* outputObjects(output, await textOf(output), `step ${step} of run ${run}`);
  }
  const claims = await db
    .selectFrom('orchestrator_events')
    .select(['run_id', 'step', 'item_index', 'attempt'])
    .where('kind', '=', 'claimed')
    .execute();
  for (const { run_id: runId, step, item_index: index, attempt } of claims) {
    if (step === null || index === null || attempt === null) continue;
    // An attempt that printed nothing has none.
    yield { key: logKey({ runId, step, index, attempt }), what: `log of run ${runId}`, ifGone: 'unsaid' };
  }
}

function* outputObjects(output: string, text: string, what: string): Iterable<ObjectUse> {
  yield { key: blobKey(output), what: `output of ${what}`, ifGone: 'lost' };
  const files = new Set([...text.matchAll(FILE)].map(([, name = '']) => name));
  for (const name of files) yield { key: blobKey(name), what: `file of ${what}`, ifGone: 'lost' };
  for (const [name] of text.matchAll(BLOB_NAME)) {
    if (!files.has(name)) yield { key: blobKey(name), what: `output of ${what}`, ifGone: 'unsaid' };
  }
}

/** The definitions that a run goes by, and the training sets that its steps made. */
async function* runNeeds(opened: Kysely<unknown>, textOf: TextOf): AsyncIterable<Need> {
  const db = opened as Kysely<OrchestratorTables>;
  for (const { manifest_hash: id } of await db.selectFrom('orchestrator_runs').select('manifest_hash').execute()) {
    yield { kind: 'definitions', id };
  }
  for (const { output } of await outputsOf(db)) {
    for (const [, id = ''] of (await textOf(output)).matchAll(TRAINING_SET)) yield { kind: 'training set', id };
  }
}

/** Of one that is missing or damaged nothing can be told; that it is so, whoever needs it is told. */
async function readText(objects: ObjectStore, output: string): Promise<string> {
  try {
    return Buffer.from(await getBlob(objects, output)).toString();
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_ARTIFACT_UNREADABLE') return '';
    throw error;
  }
}
