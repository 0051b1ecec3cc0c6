// Tasks of a step in pages, by index.

import type { Database } from '../../storage/index.ts';
import type { RunStore } from './run-store.ts';
import { statement, textsOfJson } from './statement.ts';
import { outputOf, type TaskRow, toTask } from './stored-rows.ts';

const LIMIT = 100;
const OUTPUTS_AT_ONCE = 1000;

export function createTaskReads(database: Database): Pick<RunStore, 'tasks' | 'outputs' | 'cached'> {
  const { kind } = database;
  const page = (filter: string) =>
    statement<TaskRow>(
      kind,
      `select * from pipeline_tasks where run_id = ? and step = ? and scope = ? and item_index >= ? ${filter}
       order by item_index limit ?`,
    );
  const all = page('');
  const finished = page(`and state = 'succeeded'`);
  // The first term is what the index of those that are not finished says of itself.
  const unfinished = page(`and state <> 'succeeded' and state = ?`);
  const outputs = statement<Pick<TaskRow, 'item_index' | 'output' | 'output_blob'>>(
    kind,
    `select item_index, output, output_blob from pipeline_tasks
     where run_id = ? and step = ? and scope = ? and item_index > ? and state = 'succeeded' order by item_index limit ?`,
  );
  const names = textsOfJson(kind);
  const cached = statement<Pick<TaskRow, 'run_id' | 'output' | 'output_blob'> & { readonly key: string }>(
    kind,
    `select key, run_id, output, output_blob from pipeline_cache where key in (select value from ${names})`,
  );
  return {
    async cached(keys) {
      if (keys.length === 0) return new Map();
      const { rows } = await cached(database.tables(), JSON.stringify(keys));
      return new Map(rows.map((row) => [row.key, { output: outputOf(row) ?? { json: 'null' }, run: row.run_id }]));
    },
    async tasks(id, step, { scope = '', state, from = 0, limit = LIMIT } = {}) {
      const db = database.tables<unknown>();
      const place = [id, step, scope, from] as const;
      const found =
        state === undefined
          ? all(db, ...place, limit)
          : state === 'succeeded'
            ? finished(db, ...place, limit)
            : unfinished(db, ...place, state, limit);
      return (await found).rows.map(toTask);
    },
    async *outputs(id, step, scope = '') {
      for (let after = -1; ; ) {
        const { rows } = await outputs(database.tables(), id, step, scope, after, OUTPUTS_AT_ONCE);
        // A task that gave nothing gave null.
        for (const row of rows) yield { index: row.item_index, output: outputOf(row) ?? { json: 'null' } };
        if (rows.length < OUTPUTS_AT_ONCE) return;
        after = rows.at(-1)?.item_index ?? after;
      }
    },
  };
}
