// Runs that triggers make, on every database: one for all that came, nothing lost and nothing twice, whoever looks and dies.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, MICROS_PER_HOUR, MICROS_PER_MINUTE } from '../../src/core/index.ts';
import type { PipelineSpec, TriggerSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { answerTriggers } from '../../src/orchestrator/schedule/answer-triggers.ts';
import { newRunOf } from '../../src/orchestrator/schedule/make-runs.ts';
import { openTriggerRows } from '../../src/orchestrator/schedule/trigger-rows.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { pipeline } from '../support/run-rows.ts';

const materialized: PipelineSpec = { ...pipeline, name: 'after', on: [{ kind: 'materialized', view: 'sales' }] };
const pushed = (everyMicros?: number): PipelineSpec => {
  const every = everyMicros === undefined ? {} : { everyMicros };
  return { ...pipeline, name: 'orders', on: [{ kind: 'pushed', source: 'orders', ...every }] };
};
const cause = (kind: string, of: string, after: number, through: number) => ({ kind, of, after, through });

describe.each(testDatabases('triggers'))('on $name', (databases) => {
  let [now, position] = [0, 0];
  let asked: TriggerSpec[] = [];
  let failed: string[] = [];
  let opened: Database[] = [];
  const clock: Clock = { nowMicros: () => now };
  const open = async (url: string) => {
    const database = await openDatabase(url);
    opened.push(database);
    return { store: await openRunStore(database, clock), triggers: await openTriggerRows(database) };
  };
  type Looker = Awaited<ReturnType<typeof open>>;
  let one: Looker;
  let other: Looker;

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    [now, position, asked, failed, opened] = [MICROS_PER_HOUR, 3, [], [], []];
    const url = await databases.newUrl();
    [one, other] = [await open(url), await open(url)];
  });
  afterEach(async () => {
    for (const database of opened) await database.close();
  });

  function answer(of: Looker, pipelines: readonly PipelineSpec[], revision = 1): Promise<void> {
    const positionOf = async (trigger: TriggerSpec) => (asked.push(trigger), position);
    const onFailed = (name: string, reason: string) => void failed.push(`${name}: ${reason}`);
    const manifest = { pipelines: Object.fromEntries(pipelines.map((spec) => [spec.name, spec])) };
    return answerTriggers({ ...of, clock, positionOf, onFailed }, { revision, hash: 'h', manifest });
  }
  const both = (...pipelines: readonly PipelineSpec[]) =>
    Promise.all([one, other].map((looker) => answer(looker, pipelines)));
  const runs = () => one.store.list();
  const end = async (): Promise<void> => {
    for (const { id } of await runs()) await one.store.requestCancel(id);
  };
  const causes = async (): Promise<unknown[]> => {
    const oldest = (await runs()).toReversed();
    return Promise.all(oldest.map(async ({ id }) => JSON.parse((await one.store.events(id))[0]?.message ?? 'null')));
  };

  it('makes one run for what came since they were first seen, or since the run before', async () => {
    await both(materialized);
    expect(await runs()).toEqual([]);
    position = 4;
    await both(materialized);
    expect(await runs()).toMatchObject([{ pipeline: 'after', state: 'queued', tick: now }]);
    // While that goes on, what comes waits.
    [now, position] = [now + 1, 9];
    await both(materialized);
    expect(await runs()).toHaveLength(1);
    await end();
    for (let time = 0; time < 2; time++) await both(materialized);
    expect(await causes()).toEqual([cause('materialized', 'sales', 3, 4), cause('materialized', 'sales', 4, 9)]);
  });

  it('makes a run for many pushes, at most one a minute or as often as is said', async () => {
    for (const [at, every, wanted] of [
      [0, undefined, 0],
      [0, undefined, 1],
      [MICROS_PER_MINUTE - 1, undefined, 1],
      [MICROS_PER_MINUTE, undefined, 2],
      [2 * MICROS_PER_MINUTE, 5 * MICROS_PER_MINUTE, 2],
      [6 * MICROS_PER_MINUTE, 5 * MICROS_PER_MINUTE, 3],
      [6 * MICROS_PER_MINUTE + 1, 0, 4],
    ] as const) {
      [now, position] = [MICROS_PER_HOUR + at, position + 10];
      await both(pushed(every));
      expect(await runs(), `at ${at}`).toHaveLength(wanted);
      await end();
    }
    // No push is lost between them, whatever changes how often.
    const spans = [13, 23, 43, 63, 73].map((through, at, all) => cause('pushed', 'orders', all[at - 1] ?? 0, through));
    expect(await causes()).toEqual(spans.slice(1));
  });

  it('waits for no clock that was set back an hour, or forward a day', async () => {
    await both(pushed());
    for (const [at, wanted] of [
      [0, 1],
      [-MICROS_PER_HOUR, 2],
      [-MICROS_PER_HOUR + 1, 2],
      [24 * MICROS_PER_HOUR, 3],
      [1, 4],
    ] as const) {
      [now, position] = [MICROS_PER_HOUR + at, position + 1];
      await both(pushed());
      expect(await runs(), `at ${at}`).toHaveLength(wanted);
      await end();
    }
  });

  it('makes the run that was claimed where who claimed it died before, or goes on later', async () => {
    await answer(one, [pushed()]);
    const row = (await one.triggers.list())[0] ?? expect.fail('it has not begun');
    expect(await one.triggers.claim(row, 7, 'claimed')).toBe(true);
    expect(await other.triggers.claim(row, 8, 'late')).toBe(false);
    await both(pushed());
    await answer(other, [pushed()]);
    expect((await runs()).map(({ id }) => id)).toEqual(['claimed']);
    expect(await causes()).toEqual([cause('pushed', 'orders', 3, 7)]);
  });

  it('has a run beside that of a schedule for the very same time', async () => {
    await answer(one, [pushed()]);
    await one.store.create(newRunOf(pushed(), { id: 'of-schedule', tick: now, manifestHash: 'h', state: 'queued' }));
    position = 5;
    await answer(one, [pushed()]);
    expect((await runs()).map(({ tick }) => tick).toSorted()).toEqual([now, now + 1]);
  });

  it('tells of a pipeline whose run can not be made, owes it that run, and makes those of others', async () => {
    const params = [{ name: 'seed', type: { kind: 'int32' }, default: 'no number' }] as never;
    const broken: PipelineSpec = { ...pushed(), name: 'broken', params };
    await answer(one, [broken, pushed()]);
    position = 5;
    for (const looker of [one, other]) await answer(looker, [broken, pushed()]);
    expect(failed[0]).toMatch(/^broken: .*seed/);
    expect((await runs()).map((run) => run.pipeline)).toEqual(['orders']);
    position = 6;
    await answer(one, [{ ...broken, params: [] }]);
    expect((await causes()).at(-1)).toEqual(cause('pushed', 'orders', 3, 5));
  });

  it('forgets what is removed, and nothing that later definitions have begun', async () => {
    await answer(one, [pushed()], 2);
    await answer(other, [], 1);
    expect(await one.triggers.list()).toHaveLength(1);
    position = 5;
    await answer(one, [pushed()], 2);
    expect(await runs()).toHaveLength(1);
    await answer(other, [], 3);
    expect(await one.triggers.list()).toEqual([]);
    expect(asked.every(({ kind }) => kind === 'pushed')).toBe(true);
  });
});
