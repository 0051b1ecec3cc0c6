// Schedules as people look at them, on every database: next and last times, what was left out and skipped, and who looks.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scheduleMetrics } from '../../src/control/index.ts';
import { type Clock, formatTimestamp, parseTimestamp } from '../../src/core/index.ts';
import type { PipelineSpec } from '../../src/definitions/index.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { answerTriggers } from '../../src/orchestrator/schedule/answer-triggers.ts';
import { makeRuns } from '../../src/orchestrator/schedule/make-runs.ts';
import { openSchedules } from '../../src/orchestrator/schedule/schedule-rows.ts';
import { showSchedules } from '../../src/orchestrator/schedule/shown-schedules.ts';
import { createRunStarter } from '../../src/orchestrator/schedule/start-runs.ts';
import { localTime } from '../../src/orchestrator/schedule/ticks.ts';
import { openTriggerRows } from '../../src/orchestrator/schedule/trigger-rows.ts';
import { getRun } from '../../src/orchestrator/shown-runs.ts';
import { type Database, openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { databasesByTier } from '../support/databases.ts';
import { refused } from '../support/refused.ts';
import { pipeline } from '../support/run-rows.ts';

const at = (text: string): number => parseTimestamp(text) ?? NaN;
const nightly: PipelineSpec = { ...pipeline, name: 'nightly', schedule: '30 2 * * *', timezone: 'Europe/Berlin' };
const orders: PipelineSpec = { ...pipeline, name: 'orders', on: [{ kind: 'pushed', source: 'orders' }] };

describe.each(databasesByTier('shown schedules'))('on $name', (databases) => {
  let now = 0;
  let rows = 120;
  const clock: Clock = { nowMicros: () => now };
  let database: Database;
  let opened: Awaited<ReturnType<typeof open>>;
  const open = async () => ({
    store: await openRunStore(database, clock),
    triggers: await openTriggerRows(database),
    ...(await openSchedules(database)),
  });

  beforeAll(() => databases.start());
  afterAll(() => databases.stop());
  beforeEach(async () => {
    database = await openDatabase(await databases.newUrl());
    opened = await open();
    rows = 120;
  });
  afterEach(() => database.close());

  const appliedOf = (pipelines: readonly PipelineSpec[]) => ({
    revision: 1,
    hash: 'h',
    manifest: { pipelines: Object.fromEntries(pipelines.map((one) => [one.name, one])) },
  });
  const positionOf = async (): Promise<number> => rows;
  const look = async (time: string, pipelines: readonly PipelineSpec[]): Promise<void> => {
    now = at(time);
    const onFailed = (): void => {};
    await makeRuns({ ...opened, clock, onFailed }, appliedOf(pipelines));
    await answerTriggers({ ...opened, clock, positionOf, onFailed }, appliedOf(pipelines));
  };
  const show = (pipelines: readonly PipelineSpec[], name?: string) =>
    showSchedules(
      { database, clock, applied: async () => appliedOf(pipelines), positionOf },
      { name, runs: 10, next: 2 },
    );
  const one = async (of: PipelineSpec) => {
    const [shown] = (await show([of], of.name)).schedules;
    if (shown === undefined) throw new Error(`nothing is shown of ${of.name}`);
    return shown;
  };

  it('its coming times, over the night that clocks change, before and after a scheduler has seen it', async () => {
    now = at('2026-03-27T12:00:00Z');
    const unseen = await one(nightly);
    expect(unseen).toMatchObject({ isSeen: false, owedSince: null, runs: [], leftOut: null });
    expect(unseen.next.map((tick) => localTime('Europe/Berlin', tick))).toEqual([
      '2026-03-28T02:30:00+01:00',
      '2026-03-29T03:00:00+02:00',
    ]);
    await look('2026-03-27T12:00:01Z', [nightly]);
    expect(await one(nightly)).toMatchObject({ isSeen: true, owedSince: null });
    now = at('2026-03-28T04:30:00Z');
    expect(await one(nightly)).toMatchObject({ owedSince: at('2026-03-28T01:30:00Z') });
    // Changed, it is another.
    expect(await one({ ...nightly, schedule: '0 4 * * *' })).toMatchObject({ isSeen: false, owedSince: null });
  });

  it('the last times and their runs, and those that were left out by catchUp', async () => {
    const every = { ...nightly, name: 'every', catchUp: 'all' as const };
    const never = { ...nightly, name: 'never', catchUp: 'none' as const };
    const all = [nightly, every, never];
    await look('2026-01-01T12:00:00Z', all);
    await look('2026-01-02T01:30:01Z', all);
    for (let looks = 0; looks < 3; looks++) await look('2026-01-08T12:00:00Z', all);
    const shown = new Map((await show(all)).schedules.map((schedule) => [schedule.name, schedule]));
    const ticks = (name: string) => shown.get(name)?.runs.map(({ tickMicros }) => formatTimestamp(tickMicros ?? NaN));
    expect(ticks('nightly')).toEqual(['2026-01-08T01:30:00Z', '2026-01-02T01:30:00Z']);
    expect(shown.get('nightly')).toMatchObject({
      counts: { made: 2, late: 1, leftOut: 5, skipped: 0, failed: 0 },
      leftOut: { count: 5, first: at('2026-01-03T01:30:00Z'), at: now },
      owedSince: null,
    });
    expect(ticks('every')).toHaveLength(7);
    expect(shown.get('every')).toMatchObject({ counts: { made: 7, late: 6, leftOut: 0 }, leftOut: null });
    expect(ticks('never')).toEqual(['2026-01-02T01:30:00Z']);
    expect(shown.get('never')).toMatchObject({
      counts: { made: 1, late: 0, leftOut: 6 },
      leftOut: { count: 6, first: at('2026-01-03T01:30:00Z') },
    });
    await look('2026-01-09T01:30:01Z', all);
    expect((await one(never)).counts).toMatchObject({ made: 2, leftOut: 6 });
  });

  it('why a run was skipped by overlap', async () => {
    const single: PipelineSpec = { ...nightly, concurrency: 1, overlap: 'skip' };
    await look('2026-01-01T12:00:00Z', [single]);
    const starter = createRunStarter({
      store: opened.store,
      atOnce: 4,
      drive: () => new Promise(() => {}),
      onCancelled: ({ pipeline: name }) => void opened.schedules.count(name, { skipped: 1 }),
    });
    for (const time of ['2026-01-02T01:30:01Z', '2026-01-03T01:30:01Z']) {
      await look(time, [single]);
      await starter.look();
      await expect.poll(async () => (await opened.store.list({ state: 'queued' })).length).toBe(0);
    }
    const shown = await one(single);
    const skipped = { state: 'cancelled', error: 'skipped: 1 run of nightly went on, and at most 1 may' };
    expect(shown.runs).toMatchObject([skipped, { state: 'running', error: null }]);
    await expect.poll(async () => (await one(single)).counts.skipped).toBe(1);
  });

  it('how far triggers are answered, and what waits', async () => {
    now = at('2026-01-01T12:00:00Z');
    expect((await one(orders)).triggers).toMatchObject([{ position: 120, answered: null }]);
    await look('2026-01-01T12:00:00Z', [orders]);
    rows = 150;
    await look('2026-01-01T12:00:01Z', [orders]);
    rows = 162;
    await look('2026-01-01T12:00:02Z', [orders]);
    const shown = await one(orders);
    expect(shown).toMatchObject({
      schedule: null,
      triggers: [{ position: 162, answered: 150 }],
      counts: { made: 1 },
      runs: [{ trigger: { kind: 'pushed', of: 'orders', after: 120, through: 150 } }],
    });
    const deps = { database, objects: openObjectStore('file:/nowhere'), clock, workDirectory: '' };
    const id = shown.runs[0]?.id ?? '';
    expect((await getRun(deps, id)).trigger).toEqual(shown.runs[0]?.trigger);
    await refused(show([orders], 'order'), 'HR_UNKNOWN_PIPELINE', 'orders');
  });

  it('who looks, and what keeps it from making runs', async () => {
    const failures = [{ pipeline: 'nightly', reason: 'it has no pool' }];
    await opened.schedulers.tell('a', { atOnce: 4, failures });
    await opened.schedulers.tell('b', { atOnce: 2, failures: [] });
    await opened.schedulers.tell('a', { atOnce: 4, failures });
    expect(await opened.schedulers.list()).toMatchObject([
      { atOnce: 4, isSilent: false, failures },
      { atOnce: 2, isSilent: false, failures: [] },
    ]);
    now = at('2026-01-01T12:00:00Z');
    await look('2026-01-01T12:00:00Z', [nightly]);
    now = at('2026-01-02T02:30:00Z');
    const text = await scheduleMetrics(await show([nightly, orders]));
    for (const line of [
      'headrace_schedulers 2',
      'headrace_schedule_blocked{pipeline="nightly"} 1',
      'headrace_schedule_blocked{pipeline="orders"} 0',
      'headrace_schedule_owed_seconds{pipeline="nightly"} 3600',
      'headrace_schedule_runs_total{pipeline="nightly"} 0',
      `headrace_schedule_next_tick_seconds{pipeline="nightly"} ${at('2026-01-03T01:30:00Z') / 1_000_000}`,
    ])
      expect(text).toContain(`${line}\n`);
    await opened.schedulers.leave('a');
    expect(await opened.schedulers.list()).toHaveLength(1);
    expect(await scheduleMetrics(await show([nightly]))).toContain('headrace_schedule_blocked{pipeline="nightly"} 0\n');
  });
});
