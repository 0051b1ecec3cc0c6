// A process that takes a run as soon as it may, and claims and finishes the tasks of its fan in batches until there are none left:
// `drive-rows-forever.ts URL RUN`. Each task fails once in a while, and is tried again. Killed, it is gone on with by the next.

import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/core/index.ts';
import { newOwner } from '../../src/orchestrator/lease.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import type { Batch, TaskChange, TaskState } from '../../src/orchestrator/engine/batch.ts';
import { RunHeldError } from '../../src/orchestrator/rows/run-lease.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { createRandom } from './chance.ts';

const [url = '', id = ''] = process.argv.slice(2);
const AT_ONCE = 40;
const random = createRandom(process.pid);
const database = await openDatabase(url);
const store = await openRunStore(database, systemClock);
const owner = newOwner();

async function take(): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    try {
      return (await store.take(id, owner)).epoch;
    } catch (error) {
      if (!(error instanceof RunHeldError)) throw error;
      await sleep(Math.min(error.leaseLeftMs, 20));
    }
  }
  throw new Error('another has it');
}

const epoch = await take();
console.log('taken');
const loaded = await store.load(id);
const fan = loaded.steps.find(({ step }) => step === 'fan');
if (fan?.children === undefined || fan.children === null) throw new Error('the fan is not open');
const { children } = fan;
const counts: Record<TaskState, number> = { ...fan.counts };
let { nextIndex } = fan;
/** Attempts by index: what a dead driver left running is lost, and runs again. */
const running = new Map<number, number>();
const changes: TaskChange[] = [];
const change = (index: number, expects: number, attempt: number, from: TaskState, state: TaskState): void => {
  counts[from]--;
  counts[state]++;
  const output = state === 'succeeded' ? { json: String(index) } : null;
  changes.push({
    step: 'fan',
    scope: '',
    index,
    expects,
    state,
    attempt,
    failures: 0,
    losses: 0,
    notBefore: 0,
    output,
    error: null,
    from: null,
    slice: owner,
    startedAt: 1,
    endedAt: state === 'running' ? null : 2,
  });
};
const again = (index: number, attempt: number): void => {
  change(index, attempt, attempt + 1, 'retry', 'running');
  running.set(index, attempt + 1);
};
for (const { index, attempt, state } of loaded.tasks) {
  if (state === 'running') change(index, attempt, attempt, 'running', 'retry');
  again(index, attempt);
}

for (let number = 1; ; number++) {
  const events: Batch['events'][number][] = [];
  // Those of the batch before, and not of this one: a task is at work only once its claim is written.
  if (number > 1) {
    const claimed = [...running];
    for (const [index, attempt] of claimed) {
      if (random.below(4) === 0) continue;
      running.delete(index);
      if (random.below(10) === 0) {
        change(index, attempt, attempt, 'running', 'retry');
        again(index, attempt);
      } else {
        change(index, attempt, attempt, 'running', 'succeeded');
        events.push({ at: 2, kind: 'succeeded', step: 'fan', scope: '', index, count: 1, attempt });
      }
    }
  }
  const count = Math.min(children - nextIndex, AT_ONCE - Math.min(AT_ONCE, running.size));
  const from = nextIndex;
  for (let at = 0; at < count; at++) running.set(from + at, 1);
  nextIndex += count;
  counts.running += count;
  const isOver = running.size === 0 && nextIndex === children;
  const { refused } = await store.flush(id, epoch, number, {
    run: isOver ? { state: 'succeeded', error: null, endedAt: 3 } : null,
    steps: [{ ...fan, state: isOver ? 'succeeded' : 'open', nextIndex, counts: { ...counts } }],
    fresh: count === 0 ? [] : [{ step: 'fan', scope: '', from, count, slice: owner, at: 1 }],
    tasks: changes.splice(0),
    slices: [],
    pools: [],
    events,
    cached: [],
  });
  if (refused !== 0) throw new Error(`${refused} changes were refused`);
  if (isOver) break;
  // Whoever stops it must find it outside a transaction now and then.
  await sleep(2);
}
await store.release(id, epoch);
await database.close();
