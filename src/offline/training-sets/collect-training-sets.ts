// Training sets that are old and that no run or model version needs: the record, and the file while it is the one that the
// record told of.

import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import {
  collectFiles,
  type Collector,
  type Database,
  type Need,
  neededOf,
  type Removable,
  type RowsOwner,
} from '../../storage/index.ts';
import { fileHash } from '../sources/file-identity.ts';
import { trainingSetFiles } from './training-set-files.ts';

export interface TrainingSetCollectorDeps {
  readonly database: Database;
  readonly owners: readonly RowsOwner[];
  readonly nowMicros: () => Micros;
  readonly keepMicros: Micros;
}

interface Tables {
  training_sets: { id: string; name: string | null; created_at_micros: number; record: string };
}

/** A training set is proved again by the definitions that it was made by. */
export const trainingSetRows: RowsOwner = {
  table: 'training_sets',
  async *needs(db): AsyncIterable<Need> {
    for await (const { manifestHash } of trainingSetFiles(db)) yield { kind: 'definitions', id: manifestHash };
  },
};

export function collectTrainingSets(deps: TrainingSetCollectorDeps): Collector {
  const { database } = deps;
  return {
    name: 'training set',
    plan: () =>
      database.transaction<unknown, { items: Removable[] }>(async (trx) => ({ items: await findOld(trx, deps) }), {
        isSnapshot: true,
      }),
    async forget(opened, items) {
      const old = new Map((await findOld(opened, deps)).map((item) => [item.id, item]));
      // One that was made again meanwhile has another time.
      const going = items.filter(({ id, sinceMicros }) => old.get(id)?.sinceMicros === sinceMicros);
      const ids = going.map(({ id }) => id);
      // The offline tables are in it.
      const db = opened as Kysely<Tables>;
      if (ids.length > 0) await db.deleteFrom('training_sets').where('id', 'in', ids).execute();
      return going;
    },
    async erase({ data }) {
      const path = String(data?.['path']);
      const isNamed = async (): Promise<boolean> => {
        for await (const file of trainingSetFiles(database.tables())) if (file.path === path) return true;
        return false;
      };
      const before = await placeOf(path);
      if (before === undefined || (await isNamed()) || (await fileHash(path)) !== data?.['sha256']) return;
      // Reading it takes a while, in which the same set may be made again: then the file is another one, or named.
      if ((await placeOf(path)) === before && !(await isNamed())) await rm(path, { force: true });
    },
  };
}

/** Tells the file from whatever is put in its place; undefined where there is none. */
async function placeOf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? [found.dev, found.ino, found.mtimeMs, found.ctimeMs].join(' ') : undefined;
}

async function findOld(
  opened: Kysely<unknown>,
  { owners, nowMicros, keepMicros }: TrainingSetCollectorDeps,
): Promise<Removable[]> {
  const old: Removable[] = [];
  const needed = await neededOf(owners, opened, 'training set');
  for await (const { id, name, path, sha256, bytes, createdMicros } of trainingSetFiles(opened)) {
    if (nowMicros() - createdMicros < keepMicros || needed.has(id) || (name !== null && needed.has(name))) continue;
    old.push({
      id,
      what: name === null ? path : `${name}: ${path}`,
      why: `made ${formatTimestamp(createdMicros).slice(0, 10)}; no run and no model version needs it`,
      bytes,
      sinceMicros: createdMicros,
      data: { path, sha256 },
    });
  }
  return old;
}

/** Files of pipelines' training sets that no record names, and what a run left half-written beside any set. */
export function unnamedTrainingSetFiles(
  deps: Omit<TrainingSetCollectorDeps, 'owners'> & { readonly dataDirectory: string; readonly partialMicros: Micros },
): readonly Collector[] {
  const { database, nowMicros, dataDirectory } = deps;
  const own = join(dataDirectory, 'training-sets');
  const paths = async (): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    for await (const { path } of trainingSetFiles(database.tables())) found.add(path);
    return found;
  };
  const files = (name: string, ending: RegExp, why: string, keepMicros: Micros, folders: () => Promise<string[]>) =>
    collectFiles({ name, folders, isOne: (file) => ending.test(file), why, nowMicros, keepMicros, needed: paths });
  return [
    files('training set file', /\.parquet$/, 'no record names it', deps.keepMicros, async () => [own]),
    files('unfinished file', UNFINISHED, 'its writer did not come to its end', deps.partialMicros, async () => [
      own,
      ...[...(await paths())].map((path) => join(path, '..')),
    ]),
  ];
}

const UNFINISHED = /\.parquet\.unfinished-[\w-]+$/;
