// Runs that ended long ago, with what lies under their keys; what they made goes once nothing else needs it.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { formatTimestamp, type Micros } from '../../core/index.ts';
import { type Collector, neededOf, type Removable, type RowsOwner, sizeOfFolder } from '../../storage/index.ts';
import type { RunsDeps } from '../orchestrator-deps.ts';
import { type PipelineTables, TABLES_OF_RUNS } from './tables.ts';

export interface RunCollectorDeps extends RunsDeps {
  readonly owners: readonly RowsOwner[];
  readonly keepMicros: Micros;
}

const OVER = ['succeeded', 'failed', 'cancelled'] as const;

export function collectEndedRuns(deps: RunCollectorDeps): Collector {
  const { database, objects, workDirectory } = deps;
  const folderOf = (id: string): string => join(workDirectory, 'runs', id);

  const storedBytes = async (id: string): Promise<number> => {
    let bytes = 0;
    for await (const { size } of objects.list(`runs/${id}/`)) bytes += size;
    return bytes;
  };

  return {
    name: 'run',
    async plan() {
      const old = await database.transaction<unknown, Removable[]>((trx) => findOld(trx, deps), { isSnapshot: true });
      const items: Removable[] = [];
      for (const item of old) {
        items.push({ ...item, bytes: (await sizeOfFolder(folderOf(item.id))) + (await storedBytes(item.id)) });
      }
      return { items };
    },
    async forget(opened, items) {
      const old = new Set((await findOld(opened, deps)).map(({ id }) => id));
      const asked = items.flatMap(({ id }) => (old.has(id) ? [id] : []));
      if (asked.length === 0) return [];
      // The orchestrator's own tables are in it.
      const db = opened as Kysely<PipelineTables>;
      // Whoever went on with one since it was looked at has it; from here on nobody does.
      const removed = await db
        .deleteFrom('pipeline_runs')
        .where('id', 'in', asked)
        .where('state', 'in', OVER)
        .where('ended_at', '<=', endedBy(deps))
        .returning('id')
        .execute();
      const gone = new Set(removed.map(({ id }) => id));
      if (gone.size === 0) return [];
      for (const table of TABLES_OF_RUNS)
        await db
          .deleteFrom(table)
          .where('run_id', 'in', [...gone])
          .execute();
      return items.filter(({ id }) => gone.has(id));
    },
    async erase({ id }) {
      await rm(folderOf(id), { recursive: true, force: true });
      for await (const { key } of objects.list(`runs/${id}/`)) await objects.remove(key);
    },
  };
}

function endedBy({ clock, keepMicros }: RunCollectorDeps): Micros {
  return clock.nowMicros() - keepMicros;
}

async function findOld(opened: Kysely<unknown>, deps: RunCollectorDeps): Promise<Removable[]> {
  const { owners } = deps;
  const rows = await (opened as Kysely<PipelineTables>)
    .selectFrom('pipeline_runs')
    .select(['id', 'pipeline', 'state', 'ended_at'])
    .where('state', 'in', OVER)
    .where('ended_at', '<=', endedBy(deps))
    .orderBy('id')
    .execute();
  if (rows.length === 0) return [];
  const needed = await neededOf(owners, opened, 'run');
  return rows.flatMap(({ id, pipeline, state, ended_at: at }) =>
    at === null || needed.has(id)
      ? []
      : [
          {
            id,
            what: `run of ${pipeline}, ${state}`,
            why: `it ended ${formatTimestamp(at).slice(0, 10)}, and no model version came of it`,
            bytes: null,
            sinceMicros: at,
          },
        ],
  );
}
