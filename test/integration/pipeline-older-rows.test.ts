// Rows of runs as they were before the registry kept which items a step was begun for (0006-items) and by which code a task was
// made (0007-code): a run goes on by them, and where what finished cannot be compared it runs anew, and says why.

import { sql } from 'kysely';
import { beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/core/index.ts';
import type { GroupSpec, PipelineSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { readOrder } from '../../src/orchestrator/step/order.ts';
import type { Database } from '../../src/storage/index.ts';
import { type DriveWorld, onlyExecutor, openDriveWorld, range } from '../support/drive-world.ts';
import { createFarExecutor, failed, succeeded, type TaskEnd } from '../support/far-executor.ts';
import { plainStep as step } from '../support/plain-step.ts';

let world: DriveWorld;
beforeEach(async () => void (world = await openDriveWorld()));

/** Takes back the tables and rows to what migration 0005 left. */
async function takeBack(database: Database): Promise<void> {
  const dropped = {
    pipeline_steps: ['number_end', 'items_uri', 'placement_uri'],
    pipeline_tasks: ['code'],
  };
  const statements = [
    'drop index pipeline_events_edited',
    'drop table pipeline_dropped_tasks',
    ...Object.entries(dropped).flatMap(([table, columns]) =>
      columns.map((column) => `alter table ${table} drop column ${column}`),
    ),
    `delete from headrace_migrations where name in ('0006-items', '0007-code')`,
  ];
  for (const statement of statements) await sql.raw(statement).execute(database.tables());
}

/** Runs until `fails` has failed, then goes on with `now` from the older rows; gives what ran, and what was said of it. */
async function goOn(before: PipelineSpec, fails: string, now?: PipelineSpec) {
  let ran: string[] = [];
  const ends = async (spec: string, index: number): Promise<TaskEnd> => {
    const { step: name, scope } = await readOrder(world.objects, spec);
    const place = `${name}[${scope === '' ? '' : `${scope}/`}${index}]`;
    ran.push(place);
    if (place === fails && world.store === first) return failed;
    return succeeded(JSON.stringify(name === 'list' ? [0, 1] : place));
  };
  const first = world.store;
  const drive = (seen: DriveWorld['store']) =>
    world.drive(onlyExecutor(createFarExecutor({ ends }).executor), { signal: AbortSignal.timeout(5000), seen });
  await world.begin(before, true);
  expect(await drive(first)).toMatchObject({ end: 'failed' });
  ran = [];
  await takeBack(world.database);
  const store = await openRunStore(world.database, systemClock);
  world = { ...world, store };
  const code = now && { code: { pipeline: now, manifestHash: 'n' } };
  expect(await store.requestResume('r', { keepDone: true, ...code })).toBe(true);
  expect(await drive(store)).toMatchObject({ end: 'succeeded' });
  return { ran: ran.toSorted(), said: (await store.edits('r')).map(({ step: of, message }) => `${of} ${message}`) };
}

const pipeline = (items: number, groups: number): PipelineSpec => ({
  name: 'p',
  params: [],
  steps: [step('a', { in: 'g' }), step('s', { foreach: range(items) }), step('f')],
  groups: [{ name: 'g', foreach: range(groups), last: 'a' } satisfies GroupSpec],
});

it('go on where the code is the same: what finished stays', async () => {
  expect(await goOn(pipeline(3, 2), 'f[0]')).toEqual({ ran: ['f[0]'], said: [] });
});

it('keep of a step what its order says it was begun for', async () => {
  const { ran } = await goOn(pipeline(3, 2), 's[1]', pipeline(4, 2));
  expect(ran).toEqual(['s[1]', 's[3]']);
});

it('keep of a group the items that its pipeline of then lists', async () => {
  const { ran, said } = await goOn(pipeline(3, 2), 'a[1/0]', pipeline(3, 3));
  expect(ran).toEqual(['a[1/0]', 'a[2/0]']);
  expect(said.at(-1)).toBe('g items: 2 kept, 1 new, 0 dropped');
});

it('run anew the items of a group that nothing tells, and say so', async () => {
  const over = (foreach: GroupSpec['foreach']): PipelineSpec => ({
    name: 'p',
    params: [],
    steps: [step('list'), step('a', { in: 'g' })],
    groups: [{ name: 'g', last: 'a', foreach }],
  });
  const before = over({ kind: 'result', of: 'list' });
  const { ran, said } = await goOn(before, 'a[1/0]', over(range(2)));
  expect(ran).toEqual(['a[2/0]', 'a[3/0]']);
  expect(said.at(-1)).toBe('g it runs anew: the items that its tasks were begun for are not recorded');
});
