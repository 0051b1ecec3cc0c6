// Launchers and warm processes that stand still (SIGSTOP): what waits for them has an end, and nothing of them stays.

import { describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { processesWith, until, type WorldOptions } from '../support/executor-world.ts';
import { ownWorld } from '../support/opened.ts';
import { fullIt } from '../support/tier.ts';

const open = (options: WorldOptions = {}) => ownWorld({ graceMs: 300, cpus: 4, ...options });

const shell = (command: string): StepAction => ({ kind: 'shell', command });
const STOP = 'kill -STOP $PPID; sleep 1000';

describe('a launcher that a step has stopped', () => {
  // twin: test/integration/stopped-launchers.test.ts > is ended in the end where nothing else is asked of it
  fullIt(
    'is ended with all that it started by a cancel, and the next task has another',
    async () => {
      const world = open();
      const slice = world.slice(await world.order(shell(STOP)), 2);
      const handles = await world.executor.submit([slice]);
      const { launcherPid = 0 } = world.executor;
      await until(() => processesWith(`${slice.id}:`).length >= 2, 'a task');
      await world.executor.cancel(handles);
      expect(processesWith(world.driver)).toEqual([]);
      expect(await world.run(shell('true'))).toMatchObject([{ kind: 'succeeded' }]);
      expect(world.executor.launcherPid).not.toBe(launcherPid);
    },
    60_000,
  );

  // twin: test/integration/stopped-launchers.test.ts > is ended in the end where nothing else is asked of it
  fullIt('keeps its driver from no end', async () => {
    const world = open();
    const slice = world.slice(await world.order(shell(STOP)));
    await world.executor.submit([slice]);
    await until(() => processesWith(`${slice.id}:`).length >= 2, 'the task');
    await world.executor.close();
    expect(processesWith(world.driver)).toEqual([]);
  });

  // twin: test/integration/stopped-launchers.test.ts > is ended in the end where nothing else is asked of it
  fullIt('keeps no step from its timeout; what it has beside that is lost', async () => {
    const world = open();
    const other = world.slice(await world.order(shell('sleep 1000')));
    const slice = world.slice(await world.order(shell(STOP), { timeoutMs: 500 }));
    await world.executor.submit([other]);
    await until(() => processesWith(`${other.id}:`).length >= 1, 'the other');
    await world.executor.submit([slice]);
    const late = { kind: 'failed', cause: 'timeout', reason: 'timed out after 0.5 s' };
    expect(await world.ends(slice)).toMatchObject([late]);
    expect(await world.ends(other)).toMatchObject([{ kind: 'lost', reason: expect.stringMatching(/stood still/) }]);
    expect(processesWith(world.driver)).toEqual([]);
  });

  it('is ended in the end where nothing else is asked of it', async () => {
    const world = open({ stillMs: 1500 });
    const slice = world.slice(await world.order(shell(STOP)));
    await world.executor.submit([slice]);
    expect(await world.ends(slice)).toMatchObject([{ kind: 'lost', reason: expect.stringMatching(/stood still/) }]);
    expect(processesWith(world.driver)).toEqual([]);
  });

  // twin: test/integration/stopped-launchers.test.ts > is ended in the end where nothing else is asked of it
  fullIt('that only works for long is none', async () => {
    const world = open({ stillMs: 1500 });
    const [end] = await world.run(shell('sleep 3'));
    expect(end).toMatchObject({ kind: 'succeeded' });
  });
});

describe('a warm process that a task has stopped', () => {
  const sleepsOf = ({ driver }: { driver: string }) =>
    processesWith('sleep\u00001000').filter((pid) => processesWith(driver).includes(pid));
  const stops = `module.exports = () => require('child_process').execSync('kill -STOP $PPID; sleep 1000');`;

  it('is ended at the timeout', async () => {
    const world = open();
    expect(await world.run(await world.task(stops), { timeoutMs: 300 })).toMatchObject([{ cause: 'timeout' }]);
    expect(sleepsOf(world)).toEqual([]);
  });

  // twin: test/integration/stopped-launchers.test.ts > is ended at the timeout
  fullIt('is ended by a cancel, and by its driver’s end', async () => {
    const world = open();
    const action = await world.task(stops);
    const first = world.slice(await world.order(action));
    const handles = await world.executor.submit([first]);
    await until(() => sleepsOf(world).length === 1, 'the task');
    await world.executor.cancel(handles);
    await until(() => sleepsOf(world).length === 0, 'the end of the task');
    await world.executor.submit([world.slice(await world.order(action, { params: { again: true } }))]);
    await until(() => sleepsOf(world).length === 1, 'the task');
    await world.executor.close();
    expect(processesWith(world.driver)).toEqual([]);
  });
});
