// Processes that are made ready while others run: each waits in its control group for its turn. What it finds then is what it would
// find without that, its time begins then, and where its turn never comes nothing of it is left.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { sha256Hex } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import type { Slice } from '../../src/orchestrator/executors/executor.ts';
import { findHoldingFolder } from '../../src/orchestrator/step/groups-folder.ts';
import { openLogFile } from '../../src/orchestrator/step/log-file.ts';
import { type MemoryLimits, openMemoryLimits } from '../../src/orchestrator/step/memory-limits.ts';
import { openMemoryWatch } from '../../src/orchestrator/step/memory-watch.ts';
import { runProcess } from '../../src/orchestrator/step/run-process.ts';
import { openSweeper } from '../../src/orchestrator/step/sweeper.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { skipBecause } from '../support/skips.ts';
import { fullIt } from '../support/tier.ts';

const DRIVER = fileURLToPath(new URL('../support/executor-driver.ts', import.meta.url));
const base = findHoldingFolder();
if (base === undefined)
  skipBecause('processes that wait in their control group: no control group of version 2 may be made here');

const shell = (command: string): StepAction => ({ kind: 'shell', command });
const groupsOf = (driver: string): readonly string[] =>
  readdirSync(base ?? '').filter((name) => name.startsWith(`headrace-${sha256Hex(driver).slice(0, 16)}-`));

describe.skipIf(base === undefined)('a process that is made ready while another runs', () => {
  const open = (): ExecutorWorld => {
    const world = openExecutorWorld({ cpus: 1, graceMs: 300 });
    onTestFinished(async () => {
      await world.close();
      expect(groupsOf(world.driver)).toEqual([]);
    });
    return world;
  };

  /** One that takes the only CPU, and one that waits for it; `place` is there once that has begun. */
  const busy = async (world: ExecutorWorld) => {
    const first = world.slice(await world.order(shell('sleep 1000')));
    const place = join(world.directory, 'begun');
    const second = world.slice(await world.order(shell(`echo $$ > ${place}`)));
    const [atWork] = await world.executor.submit([first]);
    await until(() => world.events.length === 1, 'its start');
    const [waiting] = await world.executor.submit([second]);
    const processesOf = ({ id }: Slice) => processesWith(`${world.driver}:${id}:`);
    await until(() => processesOf(second).length === 1, 'what waits');
    expect(groupsOf(world.driver)).toHaveLength(2);
    const began = () => existsSync(place) || world.events.some(({ slice }) => slice === second.id);
    if (atWork === undefined || waiting === undefined) throw new Error('no handles');
    return { processesOf, place, first, second, atWork, waiting, began };
  };

  it('is what runs once that has ended', async () => {
    const world = open();
    const { processesOf, place, second, atWork, began } = await busy(world);
    const ready = processesOf(second);
    expect(began()).toBe(false);
    await world.executor.cancel([atWork]);
    expect(await world.ends(second)).toMatchObject([{ kind: 'succeeded' }]);
    expect(readFileSync(place, 'utf8')).toBe(`${ready[0]}\n`);
    const told = world.events.filter(({ slice }) => slice === second.id).map(({ kind }) => kind);
    expect(told).toEqual(['started', 'succeeded']);
  });

  // twin: test/integration/ready-processes.test.ts > is what runs once that has ended
  fullIt('is ended at once by a cancel, and the other goes on', async () => {
    const world = open();
    const { processesOf, first, second, waiting, began } = await busy(world);
    await world.executor.cancel([waiting]);
    expect(processesOf(second)).toEqual([]);
    expect(began()).toBe(false);
    await until(() => groupsOf(world.driver).length === 1, 'the end of its group');
    expect(processesOf(first).length).toBeGreaterThan(0);
  });

  // twin: test/integration/ready-processes.test.ts > is what runs once that has ended
  fullIt('is ended by a close', async () => {
    const world = open();
    const { processesOf, second, began } = await busy(world);
    await world.executor.close();
    expect(processesOf(second)).toEqual([]);
    expect(groupsOf(world.driver)).toEqual([]);
    expect(began()).toBe(false);
  });

  it('is lost with a launcher that is killed', async () => {
    const world = open();
    const { place, second } = await busy(world);
    process.kill(world.executor.launcherPid ?? 0, 'SIGKILL');
    expect(await world.ends(second)).toMatchObject([{ kind: 'lost' }]);
    expect(processesWith(world.driver)).toEqual([]);
    expect(groupsOf(world.driver)).toEqual([]);
    expect(existsSync(place)).toBe(false);
    expect(await world.run(shell('true'))).toMatchObject([{ kind: 'succeeded' }]);
  });

  // twin: test/integration/ready-processes.test.ts > is lost with a launcher that is killed
  fullIt('is lost where it is killed itself, and the next ones run', async () => {
    const world = open();
    const { processesOf, second, atWork } = await busy(world);
    for (const pid of processesOf(second)) process.kill(pid, 'SIGKILL');
    expect(await world.ends(second)).toMatchObject([{ kind: 'lost' }]);
    await world.executor.cancel([atWork]);
    expect(await world.run(shell('true'))).toMatchObject([{ kind: 'succeeded' }]);
  });

  // twin: test/integration/ready-processes.test.ts > is lost with a launcher that is killed
  fullIt.each([
    { what: 'its driver', isLauncherToo: false },
    { what: 'its driver and its launcher', isLauncherToo: true },
  ])('is gone after the kill of $what', async ({ isLauncherToo }) => {
    const world = open();
    const name = `killed/${process.pid}/${isLauncherToo}`;
    const place = join(world.directory, 'begun');
    const spec = await world.order(shell(`echo x >> ${place}; sleep 1000`));
    // Two run at once.
    const driver = fork(DRIVER, [world.directory, name, spec, spec, spec, spec], {
      execArgv: ['--conditions=headrace-source'],
    });
    onTestFinished(() => void driver.kill('SIGKILL'));
    const [{ handles, launcher }] = await once(driver, 'message');
    await until(() => existsSync(place) && readFileSync(place, 'utf8') === 'x\nx\n', 'two at work');
    await until(() => groupsOf(name).length === 4, 'two that wait');
    if (isLauncherToo) process.kill(launcher, 'SIGKILL');
    driver.kill('SIGKILL');
    await once(driver, 'exit');
    // Its launcher sees to that alone, if it lives.
    if (isLauncherToo) expect(await world.executor.adopt(handles)).toEqual(['gone', 'gone', 'gone', 'gone']);
    await until(() => processesWith(`HEADRACE_ATTEMPT=${name}:`).length === 0, 'their end');
    await until(() => groupsOf(name).length === 0, 'the end of their groups');
    expect(readFileSync(place, 'utf8')).toBe('x\nx\n');
  });

  // twin: test/integration/ready-processes.test.ts > does not begin before, where it waits in no group either
  fullIt('has all of its timeout from its turn on', async () => {
    const world = open();
    // The last waits longer than it may run.
    const slice = world.slice(await world.order(shell('sleep 0.6'), { timeoutMs: 1500 }), 4);
    await world.executor.submit([slice]);
    expect((await world.ends(slice)).map(({ kind }) => kind)).toEqual(Array.from({ length: 4 }, () => 'succeeded'));
    const late = await world.run(shell('sleep 1000'), { timeoutMs: 300 }, 2);
    expect(late).toMatchObject([{ cause: 'timeout' }, { cause: 'timeout' }]);
  });
});

describe('a command in its turn', () => {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-turns-'));
  const driver = `turns/${process.pid}/Änne Ł`;
  const sweeper = openSweeper();
  let jobs = 0;
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Each has a mark of its own: once a command has ended, a sweep ends what else has its mark. */
  const job = (command: string, memory: MemoryLimits, memoryBytes: number | null = null) => {
    jobs += 1;
    const mark = `${driver}:s:${jobs}:1`;
    const turn = Promise.withResolvers<void>();
    const stopper = new AbortController();
    const file = join(directory, String(jobs), 'log.txt');
    const log = openLogFile(file);
    let begun = 0;
    const end = runProcess({
      command: '/bin/sh',
      args: ['-c', command, 'named', "it's", ''],
      environment: { PATH: '/usr/bin:/bin', _: '1', IFS: 'x', gate: ' a\n"b" ', ÄÖ: '\u{fffd}\\n', 'a-b': '$HOME' },
      directory: '/',
      mark,
      log,
      turn: turn.promise,
      onStart: () => void (begun += 1),
      signal: stopper.signal,
      memory,
      sweeper,
      timeoutMs: null,
      memoryBytes,
      graceMs: 100,
    });
    return {
      mark,
      end,
      come: () => turn.resolve(),
      stop: () => stopper.abort(),
      begun: () => begun,
      said: () => (log.end() ? readFileSync(file, 'utf8') : ''),
    };
  };
  /** As on a machine without control groups. */
  const alone: MemoryLimits = {
    open: () => ({
      command: (command, args) => ({ command, args }),
      watch() {},
      hasKilled: () => false,
      endOthers() {},
      close: async () => {},
    }),
  };

  it.skipIf(base === undefined)('finds what it would find without having waited', async () => {
    const memory = openMemoryLimits(driver, join(directory, 'scratch'));
    const atOnce: MemoryLimits = {
      open(mark, limitBytes) {
        const { waiting, ...limit } = memory.open(mark, limitBytes);
        expect(waiting).toBeTypeOf('function');
        return limit;
      },
    };
    const look = [
      'tr "\\0" "\\n" < /proc/$$/environ | sort',
      'echo "$0 $# $1"',
      'ls /proc/$$/fd',
      'readlink /proc/$$/fd/0',
      'grep flags: /proc/$$/fdinfo/0',
      'cat',
      'read -r _ comm _ _ group session _ < /proc/$$/stat',
      'echo "$comm $(( group - $$ )) $(( session - $$ ))"',
      'grep "^Sig[BIC]" /proc/self/status',
      'umask; pwd',
    ].join('; ');
    const said: string[] = [];
    for (const way of [atOnce, memory]) {
      const one = job(look, way);
      one.come();
      expect(await one.end).toMatchObject({ kind: 'done' });
      said.push(one.said().replace(one.mark, 'its mark'));
    }
    expect(said[1]).toBe(said[0]);
    expect(said[1]).toContain('HEADRACE_ATTEMPT=its mark\n');
    expect(said[1]).toContain("named 2 it's\n");
    expect(said[1]).toContain('/dev/null\n');
  });

  it('does not begin before, where it waits in no group either', async () => {
    const place = join(directory, 'begun');
    const one = job(`echo began`, alone);
    const other = job(`touch ${place}`, alone);
    other.stop();
    expect(await other.end).toEqual({ kind: 'stopped' });
    expect([one.begun(), other.begun()]).toEqual([0, 0]);
    one.come();
    expect(await one.end).toMatchObject({ kind: 'done' });
    expect([one.begun(), one.said()]).toEqual([1, 'began\n']);
    expect(existsSync(place)).toBe(false);
  });

  it('is ended once it holds more memory than its limit, that of its children counted', async () => {
    const watch = openMemoryWatch();
    const memory: MemoryLimits = { open: (mark, limitBytes) => watch.open(mark, limitBytes ?? Infinity) };
    const grow = `'${process.execPath}' -e 'const held = Buffer.alloc(300 * 2 ** 20, 1); setTimeout(() => held, 1e6)'`;
    const one = job(`${grow} & wait`, memory, 200 * 2 ** 20);
    onTestFinished(one.stop);
    one.come();
    const reason = expect.stringMatching(/used .*memory.* than the 200 MiB/);
    expect(await one.end).toMatchObject({ kind: 'failed', cause: 'memory', isFinal: false, reason });
    expect(processesWith(one.mark)).toEqual([]);
  });
});
