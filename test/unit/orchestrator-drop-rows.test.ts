// Dropping items of a group looks each of them up by the primary key, so that it takes as long as there are items, not their square.

import { CompiledQuery } from 'kysely';
import { expect, it, onTestFinished } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { createDrops } from '../../src/orchestrator/rows/drop-rows.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { Db } from '../../src/orchestrator/rows/statement.ts';
import { openDatabase } from '../../src/storage/index.ts';

/** The statements of a drop in SQLite, each with how SQLite reads the rows that go. */
async function plansOf(...dropped: Parameters<ReturnType<typeof createDrops>>[2]) {
  const database = await openDatabase('sqlite::memory:');
  onTestFinished(() => database.close());
  await openRunStore(database, fixedClock(5));
  const tables: Db = database.tables();
  const run: CompiledQuery[] = [];
  const watched = new Proxy(tables, {
    get: (target, name) =>
      name === 'executeQuery'
        ? async (query: CompiledQuery) => {
            run.push(query);
            return await target.executeQuery(query);
          }
        : Reflect.get(target, name),
  });
  await createDrops('sqlite')(watched, 'r', dropped);
  const plans: { rows: number; reads: string[] }[] = [];
  for (const { sql, parameters } of run) {
    const explained = await tables.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]) as CompiledQuery<{ detail: string }>,
    );
    const reads = explained.rows.map(({ detail }) => detail).filter((detail) => / t /.test(`${detail} `));
    plans.push({ rows: (JSON.parse(String(parameters[1])) as unknown[]).length, reads });
  }
  return plans;
}

it('each item is looked up by the primary key, right in the group and in groups of it', async () => {
  const inside = { direct: ['fit'], deeper: ['deep'] };
  const plans = await plansOf({ step: 'group', scope: '', numbers: [[0, 3]], inside });
  const places = plans.map(({ reads }) => reads.map((read) => /\((.*)\)/.exec(read)?.[1]));
  const [one, range] = ['run_id=? AND step=? AND scope=?', 'run_id=? AND step=? AND scope>? AND scope<?'];
  expect(places).toEqual([[one], [one], [one], [range], [range], [range]]);
});

it('statements are given 10,000 items at most', async () => {
  const inside = { direct: ['fit'], deeper: [] };
  const plans = await plansOf({ step: 'group', scope: '', numbers: [[0, 25_000]], inside });
  expect([...new Set(plans.map(({ rows }) => rows))]).toEqual([10_000, 5000]);
});
