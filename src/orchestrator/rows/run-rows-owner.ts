// What runs need of the object store and of others' rows: each task's output, the files that it names, the orders of steps, and
// what lies under the run's own keys, logs and results.

import type { Kysely } from 'kysely';
import {
  blobKey,
  getBlob,
  type Need,
  type ObjectStore,
  type ObjectUse,
  type RowsOwner,
  unlessUnreadable,
} from '../../storage/index.ts';
import type { PipelineTables } from './tables.ts';

const FILE = /"sha256":"([0-9a-f]{64})"/g;
const BLOB_NAME = /\b[0-9a-f]{64}\b/g;
const TRAINING_SET = /"id":"([0-9a-f]{16})"/g;
const BLOB_URI = /^blob:([0-9a-f]{64})$/;
const RESULT_OUTPUT = /"output":\{"blob":"([0-9a-f]{64})"\}/;
const TASKS_AT_ONCE = 1000;

/** Of all runs that are kept, whatever became of them: one that failed may be resumed. */
export function runStoreRows(objects: ObjectStore): RowsOwner {
  const namedInBlob = openNames(objects);
  return {
    table: 'pipeline_runs',
    // The orchestrator's own tables are in it.
    objects: (db) => runObjects(db as Kysely<PipelineTables>, objects, namedInBlob),
    needs: (db) => runNeeds(db as Kysely<PipelineTables>, namedInBlob),
    async settle(trx) {
      // Whoever drove one is at another place.
      await (trx as Kysely<PipelineTables>)
        .updateTable('pipeline_runs')
        .set((row) => ({ driver: null, lease_until: 0, epoch: row('epoch', '+', 1) }))
        .execute();
    },
  };
}

/**
 * What cached outputs need while a later run may take them. The task that made one may have gone since: the items of its step were
 * edited, or it was run anew.
 */
export function cachedOutputRows(objects: ObjectStore): RowsOwner {
  const namedInBlob = openNames(objects);
  return {
    table: 'pipeline_cache',
    // The orchestrator's own tables are in it.
    async *objects(db) {
      for await (const { run, json, blob } of cachedOutputs(db as Kysely<PipelineTables>))
        yield* outputUses({ json, blob }, `a cached step of run ${run}`, namedInBlob);
    },
    async *needs(db) {
      for await (const output of cachedOutputs(db as Kysely<PipelineTables>)) yield* setsOf(output, namedInBlob);
    },
  };
}

/** At another place nothing runs. */
export const poolSlotRows: RowsOwner = {
  table: 'pipeline_pools',
  async settle(trx) {
    await (trx as Kysely<PipelineTables>).deleteFrom('pipeline_pools').execute();
  },
};

/** What a text names: of outputs that may be tens of MiB long no more is kept. */
interface Named {
  readonly files: ReadonlySet<string>;
  /** Whatever looks like the name of a blob, but for files. */
  readonly blobs: readonly string[];
  readonly trainingSets: readonly string[];
}

type NamedInBlob = (blob: string) => Promise<Named>;

/** Blobs never change: each is read once. */
function openNames(objects: ObjectStore): NamedInBlob {
  const known = new Map<string, Promise<Named>>();
  return (blob) => {
    const named = known.get(blob) ?? readText(objects, blob).then(namedIn);
    known.set(blob, named);
    return named;
  };
}

interface Output {
  readonly run: string;
  readonly json: string | null;
  readonly blob: string | null;
}

/** In the order of their keys, some at once. */
async function* cachedOutputs(db: Kysely<PipelineTables>): AsyncIterable<Output> {
  for (let after = ''; ; ) {
    const rows = await db
      .selectFrom('pipeline_cache')
      .select(['key', 'run_id as run', 'output as json', 'output_blob as blob'])
      .where('key', '>', after)
      .orderBy('key')
      .limit(TASKS_AT_ONCE)
      .execute();
    yield* rows;
    if (rows.length < TASKS_AT_ONCE) return;
    after = rows.at(-1)?.key ?? after;
  }
}

async function* outputsOf(db: Kysely<PipelineTables>): AsyncIterable<Output & { readonly step: string }> {
  for (const { run_id: run, step, scope } of await keysOfSteps(db)) {
    for (let after = -1; ; ) {
      const rows = await db
        .selectFrom('pipeline_tasks')
        .select(['item_index', 'output', 'output_blob'])
        .where('run_id', '=', run)
        .where('step', '=', step)
        .where('scope', '=', scope)
        .where('item_index', '>', after)
        .orderBy('item_index')
        .limit(TASKS_AT_ONCE)
        .execute();
      for (const { output: json, output_blob: blob } of rows)
        if (json !== null || blob !== null) yield { run, step, json, blob };
      if (rows.length < TASKS_AT_ONCE) break;
      after = rows.at(-1)?.item_index ?? after;
    }
  }
}

function keysOfSteps(db: Kysely<PipelineTables>) {
  return db
    .selectFrom('pipeline_steps')
    .select(['run_id', 'step', 'scope'])
    .orderBy('run_id')
    .orderBy('step')
    .orderBy('scope')
    .execute();
}

async function* runObjects(
  db: Kysely<PipelineTables>,
  objects: ObjectStore,
  namedInBlob: NamedInBlob,
): AsyncIterable<ObjectUse> {
  for await (const { run, step, json, blob } of outputsOf(db)) {
    yield* outputUses({ json, blob }, `step ${step} of run ${run}`, namedInBlob);
  }
  // All columns, as a registry that is not migrated yet lacks the newer ones: its runs have no such documents, and none is driven
  // elsewhere.
  for (const row of await db.selectFrom('pipeline_steps').selectAll().execute()) {
    const what = `step ${row.step} of run ${row.run_id}`;
    const order = blobAt(row.order_uri);
    if (order !== undefined) {
      yield { key: blobKey(order), what: `order of ${what}`, ifGone: 'lost' };
      yield* usesOf(await namedInBlob(order), what);
    }
    for (const uri of [row.items_uri, row.placement_uri]) {
      const blob = blobAt(uri);
      if (blob !== undefined) yield { key: blobKey(blob), what: `items of ${what}`, ifGone: 'lost' };
    }
  }
  const rows = await db.selectFrom('pipeline_runs').selectAll().execute();
  const runs = new Map(
    rows.map(({ id, elsewhere, ended_at: end }) => [id, typeof elsewhere === 'string' && end === null]),
  );
  for await (const { key } of objects.list('runs/')) {
    const run = key.split('/')[1] ?? '';
    if (runs.has(run)) yield { key, what: `log or result of run ${run}`, ifGone: 'unsaid' };
    // Of a run that another system drives it names the code of steps that have yet to begin.
    if (isRunDocument(key)) yield* namedBy(objects, key, run);
    // Another system drives it, and nothing but its results tells what they need: while those are there.
    else if (runs.get(run) !== false && key.endsWith('/result.json'))
      yield* namedByResult(objects, key, run, namedInBlob);
  }
}

/** The SHA-256 of a blob that a column names; undefined where it names none. */
function blobAt(uri: string | null | undefined): string | undefined {
  return BLOB_URI.exec(uri ?? '')?.[1];
}

/** `runs/<run>/run.json`, and the orders under `runs/<run>/specs/`. */
function isRunDocument(key: string): boolean {
  const [, , first, ...more] = key.split('/');
  return (first === 'run.json' && more.length === 0) || (first === 'specs' && key.endsWith('.json'));
}

async function* namedBy(objects: ObjectStore, key: string, run: string): AsyncIterable<ObjectUse> {
  const text = Buffer.from((await objects.get(key)) ?? []).toString();
  for (const [blob] of text.matchAll(BLOB_NAME))
    yield { key: blobKey(blob), what: `code of run ${run}`, ifGone: 'unsaid' };
}

async function* namedByResult(
  objects: ObjectStore,
  key: string,
  run: string,
  namedInBlob: NamedInBlob,
): AsyncIterable<ObjectUse> {
  const bytes = await objects.get(key);
  if (bytes === undefined) return;
  const text = Buffer.from(bytes).toString();
  for (const [blob] of text.matchAll(BLOB_NAME))
    yield { key: blobKey(blob), what: `result of run ${run}`, ifGone: 'unsaid' };
  const [, output] = RESULT_OUTPUT.exec(text) ?? [];
  if (output !== undefined) yield* usesOf(await namedInBlob(output), `a step of run ${run}`);
}

function namedIn(text: string): Named {
  const files = new Set([...text.matchAll(FILE)].map(([, name = '']) => name));
  const blobs = new Set([...text.matchAll(BLOB_NAME)].map(([name]) => name));
  const trainingSets = new Set([...text.matchAll(TRAINING_SET)].map(([, id = '']) => id));
  return { files, blobs: [...blobs].filter((name) => !files.has(name)), trainingSets: [...trainingSets] };
}

async function namedInOutput({ json, blob }: Pick<Output, 'json' | 'blob'>, namedInBlob: NamedInBlob): Promise<Named> {
  return json === null && blob !== null ? await namedInBlob(blob) : namedIn(json ?? '');
}

async function* outputUses(
  output: Pick<Output, 'json' | 'blob'>,
  what: string,
  namedInBlob: NamedInBlob,
): AsyncIterable<ObjectUse> {
  if (output.blob !== null) yield { key: blobKey(output.blob), what: `output of ${what}`, ifGone: 'lost' };
  yield* usesOf(await namedInOutput(output, namedInBlob), what);
}

function* usesOf({ files, blobs }: Named, what: string): Iterable<ObjectUse> {
  for (const name of files) yield { key: blobKey(name), what: `file of ${what}`, ifGone: 'lost' };
  for (const name of blobs) yield { key: blobKey(name), what: `output of ${what}`, ifGone: 'unsaid' };
}

/** The definitions that a run goes by, and the training sets that its steps made. */
async function* runNeeds(db: Kysely<PipelineTables>, namedInBlob: NamedInBlob): AsyncIterable<Need> {
  for (const { manifest_hash: id } of await db.selectFrom('pipeline_runs').select('manifest_hash').execute()) {
    yield { kind: 'definitions', id };
  }
  for await (const output of outputsOf(db)) yield* setsOf(output, namedInBlob);
}

async function* setsOf(output: Output, namedInBlob: NamedInBlob): AsyncIterable<Need> {
  const { trainingSets } = await namedInOutput(output, namedInBlob);
  for (const id of trainingSets) yield { kind: 'training set', id };
}

/** Empty for one that is missing or damaged: whoever needs it finds that. */
async function readText(objects: ObjectStore, blob: string): Promise<string> {
  return Buffer.from((await unlessUnreadable(getBlob(objects, blob))) ?? []).toString();
}
