// What a step starts so that nothing tells any more whose it is: no mark in its environment, no parent left, a session of its own.
// A control group ends it with its task, where this machine lets us make one.

import { afterEach, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { findHoldingFolder } from '../../src/orchestrator/step/groups-folder.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { skipBecause } from '../support/skips.ts';
import { fullIt, rows } from '../support/tier.ts';

const base = findHoldingFolder();
if (base === undefined)
  skipBecause(
    'processes without mark and parent: no control group of version 2 may be made here, so nothing holds them',
  );

const shell = (command: string): StepAction => ({ kind: 'shell', command });

describe.skipIf(base === undefined)('a process without mark and parent', () => {
  let sleeps = 0;
  const worlds: ExecutorWorld[] = [];
  const open = (): ExecutorWorld => {
    const world = openExecutorWorld({ graceMs: 300 });
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  /** A command that starts one, and where it is found. */
  const escape = () => {
    sleeps += 1;
    const time = `9${process.pid}.${sleeps}`;
    const found = (): readonly number[] => processesWith(`sleep\u0000${time}`);
    return { command: `env -i setsid sh -c 'exec sleep ${time}' > /dev/null 2>&1 & sleep 0.3`, found };
  };

  it.each(
    rows(
      [{ what: 'a success', rest: 'true', options: {}, kind: 'succeeded' }],
      [
        { what: 'a failure', rest: 'exit 3', options: {}, kind: 'failed' },
        { what: 'a timeout', rest: 'sleep 1000', options: { timeoutMs: 1000 }, kind: 'failed' },
        {
          what: 'a success within a limit of memory',
          rest: 'true',
          options: { resources: { memory: '1Gi' } },
          kind: 'succeeded',
        },
      ],
    ),
  )('ends with its task after $what', async ({ rest, options, kind }) => {
    const world = open();
    const { command, found } = escape();
    expect(await world.run(shell(`${command}; ${rest}`), options)).toMatchObject([{ kind }]);
    await until(() => found().length === 0, 'its end');
  });

  // twin: test/integration/escaped-processes.test.ts > ends with its task after $what
  fullIt('goes on while its task does, and ends by a cancel', async () => {
    const world = open();
    const { command, found } = escape();
    const slice = world.slice(await world.order(shell(`${command}; sleep 1000`)));
    const handles = await world.executor.submit([slice]);
    await until(() => found().length === 1, 'the process');
    await world.run(shell('true'));
    expect(found()).toHaveLength(1);
    await world.executor.cancel(handles);
    await until(() => found().length === 0, 'its end');
  });

  it('ends with a launcher that was killed', async () => {
    const world = open();
    const { command, found } = escape();
    const slice = world.slice(await world.order(shell(`${command}; sleep 1000`)));
    await world.executor.submit([slice]);
    await until(() => found().length === 1, 'the process');
    process.kill(world.executor.launcherPid ?? 0, 'SIGKILL');
    expect(await world.ends(slice)).toMatchObject([{ kind: 'lost' }]);
    expect(found()).toEqual([]);
  });

  // twin: test/integration/escaped-processes.test.ts > ends with its task after $what
  fullIt('that a function left ends soon after the last task of its process, which goes on', async () => {
    const world = open();
    const { command, found } = escape();
    const action = await world.task(
      `module.exports = (_, { params }) => { if (params.start) require('child_process').execSync(${JSON.stringify(command)}); return process.pid; };`,
    );
    const [first] = await world.run(action, { params: { start: true } });
    await until(() => found().length === 0, 'its end');
    const [second] = await world.run(action, {});
    expect(await world.value(second)).toBe(await world.value(first));
  });
});
