// The scheduler: makes the runs that schedules owe and drives runs that wait, look after look, until it is told to stop.

import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, formatTimestamp, HeadraceError, type Logger, messageOf } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import { checkPools } from '../check-pools.ts';
import type { PoolSizes } from '../driver/ask-for-slots.ts';
import { openDriverClock } from '../driver/driver-clock.ts';
import { drive, type DrivesRuns } from '../drive.ts';
import { newOwner } from '../lease.ts';
import { openRunStore } from '../rows/open-run-store.ts';
import type { RunStore } from '../rows/run-store.ts';
import { type AppliedPipelines, makeRuns } from './make-runs.ts';
import type { GcSchedule } from './own-pipelines.ts';
import { openSchedules, type ScheduleRows } from './schedule-rows.ts';
import { type ScheduleFailure, TELL_MS } from './scheduler-rows.ts';
import { answerTriggers, type TriggerPosition } from './answer-triggers.ts';
import { createRunStarter, type TakenRun } from './start-runs.ts';
import { openTriggerRows } from './trigger-rows.ts';

export interface SchedulerDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is applied now; undefined before the first apply. */
  readonly applied: () => Promise<AppliedPipelines | undefined>;
  /** How far owners' records of what triggers are about have come. */
  readonly positionOf: TriggerPosition;
  /** When gc runs; left out, by no schedule. */
  readonly gc?: GcSchedule | undefined;
  /** What drives one run, with the definitions of now; closed after it. */
  readonly openDriver: (signal: AbortSignal) => Promise<{ readonly deps: DrivesRuns; close(): Promise<void> }>;
  /** How many slots each pool has; none where it is left out. */
  readonly pools?: PoolSizes;
  /** How many runs are driven at once. */
  readonly atOnce: number;
  /** A line for each run that starts or ends. */
  readonly tell: (line: string) => void;
}

/** From one look to the next; woken, sooner. */
const LOOK_MS = 1000;
const LEAST_MS = 100;

/**
 * Runs until `signal` is aborted: then what runs is stopped and let go, for others to go on with. Any number may run at once: a tick
 * has one run, and a run one driver. While the database is away it waits. Throws nothing.
 */
export async function runScheduler(deps: SchedulerDeps, signal: AbortSignal): Promise<void> {
  const { logger, tell } = deps;
  const told = new Set<string>();
  const tellOnce = (key: string, line: string): void => {
    if (told.has(key)) return;
    told.add(key);
    tell(line);
  };
  const open = async () => {
    const store = await openRunStore(deps.database, deps.clock);
    const { schedules, schedulers } = await openSchedules(deps.database);
    const triggers = await openTriggerRows(deps.database);
    const starter = createRunStarter({
      store,
      atOnce: deps.atOnce,
      mayDrive(run) {
        try {
          checkPools(run.spec, deps.pools ?? {});
          return true;
        } catch (error) {
          tellOnce(`pools ${run.id}`, `run ${run.id} of ${run.pipeline} is left to others: ${messageOf(error)}`);
          return false;
        }
      },
      drive: (taken) => driveTaken(deps, store, schedules, taken, signal),
      onCancelled(run, reason) {
        tell(`run ${run.id} of ${run.pipeline}: ${reason}`);
        void count(schedules, run.pipeline, 'skipped');
      },
    });
    return { store, schedules, schedulers, triggers, starter };
  };
  const owner = newOwner();
  let toldMs = -Infinity;
  let toldFailures = '';
  /** That it looks, and what it can't make. */
  const tellOf = async ({ schedulers }: Opened, failures: readonly ScheduleFailure[]): Promise<void> => {
    const text = JSON.stringify(failures);
    if (performance.now() - toldMs < TELL_MS && text === toldFailures) return;
    await schedulers.tell(owner, { atOnce: deps.atOnce, failures });
    [toldMs, toldFailures] = [performance.now(), text];
  };
  const make = async (of: Opened): Promise<void> => {
    const { store, schedules, triggers } = of;
    const failures: ScheduleFailure[] = [];

    const applied = await deps.applied();
    if (applied === undefined) {
      tellOnce('nothing', 'Nothing is applied yet: `headrace apply` is waited for');
      return tellOf(of, []);
    }
    const onFailed = (pipeline: string, reason: string): void => {
      failures.push({ pipeline, reason });
      tellOnce(`${applied.revision} ${pipeline} ${reason}`, `no run of ${pipeline} can be made: ${reason}`);
    };
    const { pools = {}, positionOf, gc } = deps;
    // One for all schedulers: those of machines are apart, and are set.
    const clock = await openDriverClock(deps.database);
    await makeRuns({ store, schedules, clock, pools, gc, onFailed }, applied);
    await answerTriggers({ store, triggers, clock, pools, positionOf, onFailed }, applied);
    await tellOf(of, failures);
  };
  type Opened = Awaited<ReturnType<typeof open>>;
  let opened: Opened | undefined;
  let stopListening: (() => Promise<void>) | undefined;
  let wake = (): void => {};
  let isAway = false;
  let madeMs = -Infinity;
  while (!signal.aborted) {
    const startMs = performance.now();
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    try {
      opened ??= await open();
      const { store, starter } = opened;
      stopListening ??= await store.listen(() => wake());
      // Woken, it is about runs that wait: what is applied and due is read no more often for that.
      if (startMs - madeMs >= LOOK_MS - LEAST_MS) {
        madeMs = startMs;
        await make(opened);
      }
      await starter.look();
      isAway = false;
    } catch (error) {
      if (!isAway) logger.warn({ reason: messageOf(error) }, 'the scheduler could not look; it is tried again');
      isAway = true;
    }
    await pause(startMs + LEAST_MS - performance.now(), signal);
    await Promise.race([woken, pause(startMs + LOOK_MS - performance.now(), signal)]);
  }
  await stopListening?.().catch(() => {});
  await opened?.starter.idle();
  await opened?.schedulers.leave(owner).catch(() => {});
}

async function driveTaken(
  deps: SchedulerDeps,
  store: RunStore,
  schedules: ScheduleRows,
  { run, driver, hold, isTakenOver }: TakenRun,
  signal: AbortSignal,
): Promise<void> {
  const name = `run ${run.id} of ${run.pipeline}`;
  const tick = run.tick === null ? '' : ` for ${formatTimestamp(run.tick)}`;
  deps.tell(`${name}${tick} ${isTakenOver ? 'goes on: its driver died' : 'starts'}`);
  const startMs = performance.now();
  try {
    const opened = await deps.openDriver(signal);
    try {
      const end = await drive(opened.deps, store, run.id, driver, hold);
      deps.tell(`${name} ${end} in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
    } finally {
      await opened.close();
    }
  } catch (error) {
    // One that never came to its driver is let go here; of another nothing is left to let go.
    await store.release(run.id, hold.epoch).catch(() => {});
    const isFailed = error instanceof HeadraceError && error.code === 'HR_STEP_FAILED';
    if (isFailed && run.tick !== null) await count(schedules, run.pipeline, 'failed');
    const lines = messageOf(error).split('\n');
    deps.tell(signal.aborted ? `${name} is let go, for others to go on with` : `${name} failed: ${lines[0] ?? ''}`);
  }
}

/** For people: while the database is away nothing is counted, and nothing waits for it. */
async function count(schedules: ScheduleRows, pipeline: string, what: 'skipped' | 'failed'): Promise<void> {
  await schedules.count(pipeline, { [what]: 1 }).catch(() => {});
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(Math.max(0, ms), undefined, { signal }).catch(() => {});
}
