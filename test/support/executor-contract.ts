// What every executor holds to, on real processes. What one kind can't be held to is left out by `place`, with the reason beside it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fork, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import type { TaskEvent } from '../../src/orchestrator/executors/executor.ts';
import { type ExecutorWorld, processesWith, until, type WorldOptions } from './executor-world.ts';
import { fullIt, rows } from './tier.ts';

const DRIVER = fileURLToPath(new URL('./executor-driver.ts', import.meta.url));

/** A command line of docker, and no daemon that it reaches. */
const hasDockerAlone = ['docker --version', 'docker info'].every(
  (command, at) => (spawnSync(command, { shell: true, timeout: 10_000 }).status === 0) === (at === 0),
);

/** `pack`: how many tasks a container takes, where there are containers. Default: 1. */
export type ContractOptions = WorldOptions & { readonly pack?: number };

export interface TestedExecutor {
  readonly name: string;
  /** Where tasks run: as the driver's own processes, under workers that serve it, or in containers that know of no driver. */
  readonly place: 'driver' | 'worker' | 'container';
  /** A step's own image is what its container is made of: nothing asks docker for it. Default: false. */
  readonly runsImages?: boolean;
  /** Of secrets, the kind that containers are given by their cluster. Default: neither. */
  readonly reads?: 'secretKeyRef' | 'arn';
  start(): Promise<void>;
  open(options: ContractOptions): Promise<ExecutorWorld>;
  stop(): Promise<void>;
}

const shell = (command: string): StepAction => ({ kind: 'shell', command });
const range = (end: number) => ({ foreach: { kind: 'range', start: 0, end } as const });

/** What ends a command or the body of a function, that, the reason that is told, and whether trying again can't help. Default: it can. */
type Ending = readonly [what: string, code: string, reason: unknown, isFinal?: boolean];

/** The tests; to be called within a `describe`. */
export function holdToContract({ place, runsImages = false, reads, start, open, stop }: TestedExecutor): void {
  const isLocal = place === 'driver';
  const isContained = place === 'container';
  const world = async (options: ContractOptions = {}): Promise<ExecutorWorld> => {
    const opened = await open(options);
    onTestFinished(() => opened.close());
    return opened;
  };
  /** One for all tests that need nothing of their own in it: each has a launcher to start. */
  let made: ExecutorWorld;
  /** Where so many tasks go into one container, if it has containers. */
  const packed = async (pack: number): Promise<ExecutorWorld> => (isContained ? world({ pack }) : made);
  // A cluster takes its time.
  beforeAll(async () => {
    await start();
    made = await open({});
  }, 300_000);
  afterAll(async () => {
    await made?.close();
    await stop();
  });

  describe('hands slices of a batch', () => {
    const rowsOf = { endpoint: 'shops', input: 's3://bucket/rows.parquet', timestamp: 'at' };
    const batch: StepAction = { kind: 'predict', ...rowsOf, onError: 'fail', format: 'parquet', slices: 3 };

    it.skipIf(isContained)('to whoever has the project, each with its item', async () => {
      // Workers are processes of their own, which are given the like.
      const made = await world({ builtIns: { predict: async (_, { item }) => ({ item }) } });
      const ends = await made.run(batch, range(3), 3);
      const values = await Promise.all(ends.map((end) => made.value(end)));
      expect(values).toMatchObject([{ item: 0 }, { item: 1 }, { item: 2 }]);
    });

    // Its containers have no project here; test/integration/predict-step.test.ts gives them one.
    it.runIf(isContained)('to its containers, and tells that they have no project', async () => {
      const made = await world();
      const reason = expect.stringContaining(`it needs the project's configuration`);
      const failed = { kind: 'failed', cause: 'exit', reason, isFinal: true };
      expect(await made.run(batch, range(3), 3)).toMatchObject([failed, failed, failed]);
    });
  });

  describe('tells how a task ended', () => {
    it('with the result of a function, which gets its needs, item and the rest', async () => {
      const action = await made.task(
        'module.exports = async (needs, { signal, ...context }) => ({ needs, isAborted: signal.aborted, ...context });',
      );
      const given = { needs: { before: [1, 2] }, params: { seed: 7 }, items: { country: 'de' } };
      const foreach = { kind: 'grid', axes: { a: [1, 2], b: ['x'] } } as const;
      const [, second] = await made.run(action, { foreach, ...given, scope: '17/3' }, 2);
      const own = { item: { a: 2, b: 'x' }, index: 1, attempt: 1, isAborted: false };
      expect(await made.value(second)).toEqual({ ...given, ...own });
    });

    it('with the result of a script, which gets the same as a file', async () => {
      const train =
        'import json, os, helper\nstep = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))\nstep["helped"] = helper.name\njson.dump(step, open(os.environ["HEADRACE_STEP_OUTPUT"] + "/result.json", "w"))';
      const files = await made.files({ 'fit/train.py': train, 'fit/helper.py': 'name = "here"' });
      const given = { items: { day: 3 }, params: { seed: 7 } };
      const args = { power: 2 };
      const [end] = await made.run(
        { kind: 'python', script: 'fit/train.py', args, files },
        { foreach: { kind: 'result', of: 'list' }, over: ['first'], ...given },
      );
      const place = { run: 'run-1', pipeline: 'p', step: 's', scope: '', index: 0, attempt: 1 };
      expect(await made.value(end)).toEqual({ ...place, ...given, item: 'first', args, needs: {}, helped: 'here' });
    });

    it('with what is not given its place among the items, where its order says so', async () => {
      const keys = await made.task('module.exports = (_needs, context) => Object.keys(context).sort();');
      const [end] = await made.run(keys, { index: false, scope: '3' });
      expect(await made.value(end)).toEqual(['attempt', 'item', 'items', 'params', 'signal']);
      const copy = shell('cp $HEADRACE_STEP_INPUT $HEADRACE_STEP_OUTPUT/result.json');
      const [written] = await made.run(copy, { index: false, scope: '3' });
      const members = ['args', 'attempt', 'item', 'items', 'needs', 'params', 'pipeline', 'run', 'step'];
      expect(Object.keys((await made.value(written)) as object).toSorted()).toEqual(members);
    });

    it('with null where it leaves nothing', async () => {
      // Longer than a timer can count.
      expect(await made.value((await made.run(shell('true'), { timeoutMs: 30 * 86_400_000 }))[0])).toBeNull();
      expect(await made.value((await made.run(await made.task('module.exports = () => {};')))[0])).toBeNull();
    });

    const failing = (reason: unknown, isFinal = false) => ({ kind: 'failed', cause: 'exit', reason, isFinal });
    const loud =
      'echo ready; echo "Traceback" >&2; printf "\\033[31mValueError: no rows\\033[0m\\n\\n" >&2; echo bye; exit 1';
    it.for<Ending>([
      ['exit code 3', 'exit 3', /^exit code 3$/],
      ['exit code 78, for good', 'exit 78', /^exit code 78$/, true],
      ['the last line that it left on stderr', loud, /^exit code 1: ValueError: no rows$/],
      ['a signal', 'kill -SEGV $$', /^ended by SIGSEGV \(native code crashed/],
      ['a file that is a link', 'ln -s /etc/passwd $HEADRACE_STEP_OUTPUT/list', /left "list" as a link/],
      ['exit code 75, which is a loss of `headrace step` alone', 'exit 75', /^exit code 75$/],
    ])('with %s', async ([, command, reason, isFinal]) => {
      const [end] = await made.run(shell(command));
      expect(end).toMatchObject(failing(expect.stringMatching(reason as RegExp), isFinal));
    });

    const noise = expect.stringContaining('it changed JSON, or wrote into a descriptor');
    const pipes =
      'const { writeSync } = require("fs"); writeSync(3, "hello, world"); writeSync(4, "hello, world"); return 1;';
    const itself = expect.stringContaining('nested more than 1000 deep, or holds itself');
    const early = 'the function ended its process without a result';
    const notJson = "a task's result must be plain JSON data, but result.auc[0] is NaN";
    const loaded = expect.stringContaining('threw while it was loaded: at once');
    const late = 'return new Promise(() => setTimeout(() => { throw new Error("late"); }));';
    it.for(
      rows<Ending>(
        [
          ['an error', 'throw new TypeError("no such column");', 'TypeError: no such column'],
          ['an exit for good', 'process.exit(78);', 'exit code 78', true],
          ['an exit as if it were well', 'process.exit(0);', early],
          ['a result that holds itself', 'const own = {}; own.own = own; return own;', itself],
        ],
        [
          ['NaN', 'return { auc: [NaN] };', notJson],
          ['an exit', 'process.exit(3);', 'exit code 3'],
          ['an error of its callback', late, 'Error: late'],
          ['an error as it is loaded', '}; throw new Error("at once"); {', loaded],
          ['a JSON of its own', 'JSON.stringify = () => "{auc"; return 1;', noise],
          ['noise in its process’s own pipe', pipes, noise],
        ],
      ),
    )('with %s of a function', async ([, code, reason, isFinal]) => {
      const [end] = await made.run(await made.task(`module.exports = () => { ${code} };`));
      expect(end).toMatchObject(failing(reason, isFinal));
    });

    it('with a blob where the output is longer than 4 KB', async () => {
      const action = await made.task('module.exports = (_, { item }) => "x".repeat(item);');
      const [short, long] = await made.run(action, { foreach: { kind: 'items', items: [4000, 5000] } }, 2);
      expect(short).toMatchObject({ output: { json: JSON.stringify('x'.repeat(4000)) } });
      expect(long).toMatchObject({ output: { blob: expect.stringMatching(/^[0-9a-f]{64}$/) } });
      expect(await made.value(long)).toBe('x'.repeat(5000));
    });

    it('with files by content, which the next step finds at a path', async () => {
      const make =
        'mkdir $HEADRACE_STEP_OUTPUT/m; printf weights > $HEADRACE_STEP_OUTPUT/m/model.onnx; echo "{\\"auc\\": 1}" > $HEADRACE_STEP_OUTPUT/result.json';
      const [first] = await made.run(shell(make));
      const sha256 = createHash('sha256').update('weights').digest('hex');
      const files = { 'm/model.onnx': { sha256, size: 7, uri: `blob:${sha256}` } };
      expect(first).toMatchObject({ kind: 'succeeded', files });
      expect(await made.value(first)).toEqual({ auc: 1, files });

      const needs = { fit: [await made.value(first)] };
      const read = await made.task(
        'module.exports = ({ fit }) => { const file = fit[0].files["m/model.onnx"]; return { text: require("fs").readFileSync(file.path, "utf8"), fit }; }',
      );
      const [second] = await made.run(read, { needs });
      // It is passed on without the path, which means nothing elsewhere.
      expect(await made.value(second)).toEqual({ text: 'weights', fit: needs.fit });

      // What one writes into the file that it was given is not what the next one gets.
      const damage = shell(
        `python3 -c 'import json, os; path = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))["needs"]["fit"][0]["files"]["m/model.onnx"]["path"]; os.chmod(path, 0o644); open(path, "w").write("nothing")'`,
      );
      expect((await made.run(damage, { needs }))[0]).toMatchObject({ kind: 'succeeded' });
      const [third] = await made.run(read, { needs, params: { again: true } });
      expect(await made.value(third)).toMatchObject({ text: 'weights' });
    });

    it.each([
      ['a pipe of its input', 'rm $HEADRACE_STEP_INPUT; mkfifo $HEADRACE_STEP_INPUT'],
      ['a link of its input', 'ln -sf /dev/full $HEADRACE_STEP_INPUT'],
      ['a link of its output folder', 'rmdir $HEADRACE_STEP_OUTPUT; ln -s "$PWD" $HEADRACE_STEP_OUTPUT'],
    ])('with what the next one left, where one made %s', async (_, command) => {
      await made.run(shell(command));
      // Its folder is given back once it is told.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const next = shell(
        'test -f $HEADRACE_STEP_INPUT -a ! -L $HEADRACE_STEP_INPUT -a ! -L $HEADRACE_STEP_OUTPUT; echo "$?" > $HEADRACE_STEP_OUTPUT/result.json',
      );
      const [end] = await made.run(next, { params: { again: true } });
      expect(await made.value(end)).toBe(0);
    });

    it('with why its code or order cannot be had', async () => {
      const gone = 'f'.repeat(64);
      const action: StepAction = { kind: 'task', function: { id: 'pipeline/p/s', hash: gone, bundle: gone } };
      const told = { kind: 'failed', isFinal: true, reason: expect.stringContaining(gone) };
      expect((await made.run(action, {}, 2)).map(({ index }) => index)).toEqual([0, 1]);
      expect(made.events.at(-1)).toMatchObject(told);
      const slice = made.slice(`blob:${gone}`, 2);
      await made.executor.submit([slice]);
      expect(await made.ends(slice)).toMatchObject([told, told]);
    });
  });

  describe('ends what takes too much', () => {
    it('time: by SIGTERM first, and after a while by SIGKILL', async () => {
      const options = { timeoutMs: 200, env: { LEFT_BY: `${made.driver}-late` } };
      const [end] = await made.run(shell('trap "echo asked; exit 0" TERM; sleep 1000 & wait'), options);
      expect(end).toMatchObject({ kind: 'failed', cause: 'timeout', reason: 'timed out after 0.2 s', isFinal: false });
      expect(made.log()).toContain('asked');
      const [deaf] = await made.run(shell('trap "" TERM; while true; do sleep 0.05; done'), options);
      expect(deaf).toMatchObject({ cause: 'timeout' });
      expect(processesWith(options.env.LEFT_BY)).toEqual([]);
    });

    // twin: test/support/executor-contract.ts > time: by SIGTERM first, and after a while by SIGKILL
    fullIt('time, of functions: one that looks at its signal may tidy up, one that hangs ends as well', async () => {
      const made = await world({ graceMs: 300 });
      const tidy = await made.task(
        `module.exports = (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => { console.log('tidied'); reject(new Error('over')); }));`,
      );
      expect((await made.run(tidy, { timeoutMs: 200 }))[0]).toMatchObject({ cause: 'timeout' });
      expect(made.log()).toContain('tidied');
      const hang = await made.task('module.exports = (_, { index }) => { while (index === 0); return index; };');
      const ends = await made.run(hang, { timeoutMs: 200, ...range(4) }, 4);
      expect(ends).toMatchObject([{ cause: 'timeout' }, ...Array.from({ length: 3 }, () => ({ kind: 'succeeded' }))]);
    });

    // twin: test/integration/ready-processes.test.ts > is ended once it holds more memory than its limit, that of its children counted
    fullIt('memory, that of its children counted', async () => {
      const made = await world();
      const grow = `python3 -c 'import time; held = bytearray(300 * 2**20); time.sleep(60)'`;
      const [script] = await made.run(shell(`${grow} & wait`), { resources: { memory: '100Mi' } });
      expect(script).toMatchObject({ kind: 'failed', cause: 'memory', isFinal: false });
      expect(script).toMatchObject({ reason: expect.stringMatching(/used .*memory.* than the 100 MiB/) });
      const action = await made.task(
        'module.exports = async (_, { index }) => { if (index > 0) return index; globalThis.held = Buffer.alloc(600 * 2 ** 20, 1); await new Promise((done) => setTimeout(done, 60000)); };',
      );
      const ends = await made.run(action, { resources: { memory: '300Mi' }, ...range(3) }, 3);
      expect(ends).toMatchObject([{ cause: 'memory' }, { kind: 'succeeded' }, { kind: 'succeeded' }]);
    });
  });

  describe('leaves nothing running', () => {
    // A daemon as they are made: twice forked, in a session of its own, with files of its own.
    const daemon = `python3 -c 'import os, sys, time
if os.fork(): os.wait(); sys.exit()
os.setsid()
if os.fork(): os._exit(0)
for fd in (0, 1, 2): os.close(fd)
time.sleep(1000)'`;

    it.each([
      ['succeeded', 'exit 0'],
      ['failed', 'exit 3'],
    ])('of a daemon whose task has %s', async (kind, rest) => {
      const id = `${made.driver}-${rest}-`;
      const [end] = await made.run(shell(`${daemon}; ${rest}`), { env: { LEFT_BY: id } });
      expect(end?.kind).toBe(kind);
      await until(() => processesWith(id).length === 0, 'the end of the daemon');
    });

    it('of a process that holds its output open', async () => {
      const [end] = await made.run(shell('setsid sleep 1000 & echo told'), { env: { LEFT_BY: `${made.driver}-pipe` } });
      expect(end).toMatchObject({ kind: 'succeeded' });
      expect(made.log()).toBe('told\n');
      await until(() => processesWith(`${made.driver}-pipe`).length === 0, 'its end');
    });

    it('once a cancel has resolved, and tells nothing more of it', async () => {
      const env = { LEFT_BY: `${made.driver}-cancelled` };
      const function_ = await made.task('module.exports = () => new Promise(() => setTimeout(() => {}, 1e6));');
      const script = made.slice(await made.order(shell(`${daemon}; sleep 1000`), { env, ...range(3) }), 3);
      const fn = made.slice(await made.order(function_, { env, ...range(3) }), 3);
      const handles = [...(await made.executor.submit([script]))];
      await until(() => processesWith(env.LEFT_BY).length >= 4, 'the daemons');
      handles.push(...(await made.executor.submit([fn])));
      await made.executor.cancel(handles);
      expect(processesWith(env.LEFT_BY)).toEqual([]);
      // There is room again.
      expect(await made.run(shell('echo other'))).toMatchObject([{ kind: 'succeeded' }]);
      const told = made.events.filter(({ slice, kind }) => [script.id, fn.id].includes(slice) && kind !== 'started');
      expect(told).toEqual([]);

      const again = made.slice(await made.order(function_, { env, ...range(2) }), 2);
      const running = await made.executor.submit([again]);
      const isStart = ({ slice, kind }: TaskEvent): boolean => slice === again.id && kind === 'started';
      // A container is heard of once it has ended.
      const hasStarted = () => (isContained ? processesWith(env.LEFT_BY).length > 0 : made.events.some(isStart));
      await until(hasStarted, 'its start');
      await made.executor.cancel(running);
      expect(processesWith(env.LEFT_BY)).toEqual([]);
    });

    // Ten seconds of building; a worker runs tasks by the local executor, which is held to it.
    // twin: test/integration/python-environments.test.ts > are told of while they are built, from the beginning to the end, and not where they are there
    fullIt.skipIf(place === 'worker')('of an environment that is being built for what is cancelled', async () => {
      // An index that never answers: the build takes for ever.
      const asked: Socket[] = [];
      const index = createServer((socket) => asked.push(socket)).listen(0, '127.0.0.1');
      await once(index, 'listening');
      const { port } = index.address() as AddressInfo;
      // What a build that is killed leaves among the temporary files goes with this folder.
      const TMPDIR = mkdtempSync(join(tmpdir(), 'headrace-build-'));
      const PIP_INDEX_URL = `http://127.0.0.1:${port}`;
      const made = await world({ variables: { ...process.env, TMPDIR, PIP_INDEX_URL } });
      const files = await made.files({ 'nothing.py': '', 'requirements.txt': 'tiny\n' });
      const script = { script: 'nothing.py', requirements: 'requirements.txt', args: {}, files };
      const slice = made.slice(await made.order({ kind: 'python', ...script }));
      const handles = await made.executor.submit([slice]);
      await until(() => asked.length > 0, 'the build');
      await made.executor.cancel(handles);
      expect(await made.run(shell('true'))).toMatchObject([{ kind: 'succeeded' }]);
      await made.executor.close();
      expect(processesWith(made.driver)).toEqual([]);
      for (const socket of asked) socket.destroy();
      index.close();
      rmSync(TMPDIR, { recursive: true, force: true });
    });

    // twin: test/integration/local-launcher.test.ts > a launcher ends all that it started once $what, starts nothing of what waits, and leaves no folder
    fullIt('once it is closed', async () => {
      const made = await world();
      const env = { LEFT_BY: `${made.driver}-closed` };
      const slice = made.slice(await made.order(shell(`trap "" TERM; ${daemon}; sleep 1000`), { env, ...range(2) }), 2);
      await made.executor.submit([slice]);
      await until(() => processesWith(env.LEFT_BY).length > 0, 'the daemon');
      await made.executor.close();
      expect(processesWith(env.LEFT_BY)).toEqual([]);
      expect(processesWith(made.driver)).toEqual([]);
    });
  });

  describe('through deaths', () => {
    it('runs a slice once that is submitted twice', async () => {
      const place = join(made.directory, 'marks');
      const slice = made.slice(await made.order(shell(`echo x >> ${place}`), range(3)), 3);
      const both = await Promise.all([made.executor.submit([slice]), made.executor.submit([slice])]);
      expect(both[0]).toEqual(both[1]);
      await made.ends(slice);
      await made.executor.submit([slice]);
      const after = made.slice(await made.order(shell('true')), 1);
      await made.executor.submit([after]);
      await made.ends(after);
      expect(readFileSync(place, 'utf8')).toBe('x\nx\nx\n');
    });

    // Of the others a driver that is gone has no processes.
    // twin: test/integration/local-launcher.test.ts > slices of a driver that died are gone for whoever adopts them, with all that it left
    fullIt.runIf(isLocal).each([
      ['the driver’s SIGKILL', 'SIGKILL', false],
      ['the driver’s SIGTERM', 'SIGTERM', false],
      ['that of the driver and its launcher at once', 'SIGKILL', true],
    ] as const)('tells of slices that they are gone after %s, and nothing of them runs', async (_, signal, both) => {
      const made = await world();
      const env = { LEFT_BY: `${made.driver}-orphans` };
      const hang = await made.task('module.exports = () => { for (;;); };');
      const script = shell('trap "" TERM; setsid sleep 1000; sleep 1000');
      const specs = [await made.order(script, { env }), await made.order(hang, { env })];
      const driver = driverOf(made, 'dead-driver', specs);
      const [{ handles, launcher }] = await once(driver, 'message');
      await until(() => processesWith(env.LEFT_BY).length >= 3, 'its processes');
      if (both) process.kill(launcher, 'SIGKILL');
      driver.kill(signal);
      await once(driver, 'exit');
      expect(await made.executor.adopt(handles)).toEqual(['gone', 'gone']);
      expect(processesWith(env.LEFT_BY)).toEqual([]);
      expect(processesWith('HEADRACE_ATTEMPT=dead-driver:')).toEqual([]);
    });

    // Jobs of a cluster outlive a driver, for the next one to go on with.
    // twin: test/integration/local-launcher.test.ts > a launcher ends all that it started once $what, starts nothing of what waits, and leaves no folder
    fullIt.skipIf(isContained)(
      'ends all by itself when the driver dies, and starts nothing of what waits',
      async () => {
        const made = await world();
        const env = { LEFT_BY: `${made.driver}-alone` };
        const place = join(made.directory, 'started');
        const spec = await made.order(shell(`echo x >> ${place}; setsid sleep 1000; sleep 1000`), { env });
        const driver = driverOf(made, 'lonely-driver', Array<string>(30).fill(spec));
        await once(driver, 'message');
        await until(() => sleepsOf(env.LEFT_BY).length === 2, 'its processes');
        driver.kill('SIGKILL');
        await until(() => processesWith('HEADRACE_ATTEMPT=lonely-driver:').length === 0, 'their end');
        expect(readFileSync(place, 'utf8')).toBe('x\nx\n');
      },
    );

    // Elsewhere it is a worker's or a container's own.
    it.runIf(isLocal)(
      'tells what is lost when its launcher dies, leaves no orphan, and runs what follows',
      async () => {
        const env = { LEFT_BY: `${made.driver}-launcher` };
        const slice = made.slice(await made.order(shell('setsid sleep 1000; sleep 1000'), { env }), 4);
        await made.executor.submit([slice]);
        await until(() => sleepsOf(env.LEFT_BY).length === 2, 'its processes');
        process.kill(made.executor.launcherPid ?? 0, 'SIGKILL');
        const ends = await made.ends(slice);
        expect(ends.map(({ kind }) => kind)).toEqual(['lost', 'lost', 'lost', 'lost']);
        expect(ends[0]).toMatchObject({ reason: expect.stringContaining('SIGKILL') });
        expect(processesWith(env.LEFT_BY)).toEqual([]);
        expect(await made.run(shell('true'))).toMatchObject([{ kind: 'succeeded' }]);
      },
    );

    // twin: test/support/executor-contract.ts > takes a new process after a failure, and one for each task where they are isolated
    fullIt('loses the one task at work when its process is killed; the others go on', async () => {
      const made = await packed(1000);
      const place = join(made.directory, 'ran');
      const action = await made.task(
        `module.exports = (_, { index, attempt }) => { require('fs').appendFileSync(${JSON.stringify(place)}, index + ' '); if (index === 300) process.kill(process.pid, 'SIGKILL'); return index; };`,
      );
      const ends = await made.run(action, range(1000), 1000);
      expect(ends.filter(({ kind }) => kind !== 'succeeded')).toMatchObject([{ kind: 'lost', index: 300 }]);
      expect(await Promise.all([ends[299], ends[301], ends[999]].map(made.value))).toEqual([299, 301, 999]);
      // None of them ran twice.
      const ran = readFileSync(place, 'utf8').trim().split(' ');
      expect(ran.length).toBe(1000);
    });

    it('takes a new process after a failure, and one for each task where they are isolated', async () => {
      // All of them in one container, where there are containers.
      const made = await packed(3);
      const action = await made.task(
        'globalThis.count = 0; module.exports = (_, { item }) => { globalThis.count += 1; if (item === "fail") throw new Error("told"); return [process.pid, globalThis.count]; };',
      );
      const items = ['a', 'fail', 'b'];
      const ends = await made.run(action, { foreach: { kind: 'items', items }, resources: { cpu: 2 } }, 3);
      expect(ends.map(({ kind }) => kind)).toEqual(['succeeded', 'failed', 'succeeded']);
      const [before, , after] = await Promise.all([ends[0], ends[0], ends[2]].map(made.value));
      expect((before as number[])[0]).not.toBe((after as number[])[0]);
      const alone = await made.run(action, { foreach: { kind: 'items', items: ['a', 'b'] }, isolate: true }, 2);
      expect((await Promise.all(alone.map(made.value))).map((value) => (value as number[])[1])).toEqual([1, 1]);
    });

    // Those of a container are told of together, once it has ended.
    // twin: test/unit/orchestrator-room.test.ts > for so many short ones that none waits for the next claim, of warm processes and of others by their own pace
    fullIt.skipIf(isContained)('hands tasks that wait behind a slow one to a process that is free', async () => {
      const made = await world();
      const place = join(made.directory, 'go');
      // Many quick ones first: batches grow.
      const action = await made.task(
        `module.exports = async (_, { index }) => { if (index === 1500) while (!require('fs').existsSync(${JSON.stringify(place)})) await new Promise((done) => setTimeout(done, 10)); return index; };`,
      );
      const slice = made.slice(await made.order(action, range(1600)), 1600);
      await made.executor.submit([slice]);
      const ended = () => made.events.filter(({ kind }) => kind === 'succeeded').length;
      await until(() => ended() === 1599, 'the end of all others');
      expect(made.events).toContainEqual({ slice: slice.id, index: 1500, attempt: 1, kind: 'started' });
      writeFileSync(place, '');
      expect((await made.ends(slice)).every(({ kind }) => kind === 'succeeded')).toBe(true);
    });
  });

  describe('keeps apart what is the driver’s', () => {
    const variables = { ...process.env, DATABASE_PASSWORD: 'driver-only', NAME: 'hunter2-secret', LC_ALL: 'C' };

    it('gives a step none of its variables but those that any program needs, its own and its secrets', async () => {
      const made = await world({ variables });
      writeFileSync(join(made.directory, 'token'), 'from-a-file\n');
      const secrets = { API_KEY: { env: 'NAME' }, TOKEN: { file: join(made.directory, 'token') } };
      const options = { env: { MODE: 'quiet' }, secrets };
      const action = await made.task('module.exports = () => ({ ...process.env });');
      const [fn] = await made.run(action, options);
      const given = (await made.value(fn)) as Record<string, string>;
      expect(given).toMatchObject({ MODE: 'quiet', API_KEY: 'hunter2-secret', TOKEN: 'from-a-file', LC_ALL: 'C' });
      expect(given).toMatchObject({ PATH: process.env['PATH'], HOME: process.env['HOME'], HEADRACE_STEP: 's' });
      expect(Object.keys(given)).not.toContain('DATABASE_PASSWORD');
      const [script] = await made.run(shell('env > $HEADRACE_STEP_OUTPUT/env'), options);
      expect(script).toMatchObject({ kind: 'succeeded' });
      const [{ sha256 }] = Object.values(script?.kind === 'succeeded' ? script.files : {}) as [{ sha256: string }];
      const env = Buffer.from((await made.objects.get(`blobs/${sha256.slice(0, 2)}/${sha256}`)) ?? []).toString();
      expect(env).toContain('API_KEY=hunter2-secret');
      expect(env).not.toContain('driver-only');
      const allowed =
        /^(PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|\w+_(proxy|PROXY)|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE|HEADRACE_\w+|MODE|API_KEY|TOKEN|PWD|OLDPWD|SHLVL|_)$/;
      const names = env.split('\n').flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
      expect(names.filter((name) => !allowed.test(name))).toEqual([]);
    });

    // twin: test/unit/orchestrator-step.test.ts > are blanked the same, however what holds them is cut
    fullIt('blanks secrets in logs and reasons, however they are cut', async () => {
      const made = await world({ variables });
      const secrets = { API_KEY: { env: 'NAME' } };
      const command = 'printf "key: hunter2"; sleep 0.2; echo "-secret!"; echo "$API_KEY" >&2; exit 3';
      const [failed] = await made.run(shell(command), { secrets });
      expect(failed).toMatchObject({ reason: 'exit code 3: ***' });
      expect(made.log()).toMatch(/^key: \*\*\*!\n\*\*\*\n$/);
      const action = await made.task(
        'module.exports = () => { console.log(process.env.API_KEY); throw new Error(process.env.API_KEY); };',
      );
      const [end] = await made.run(action, { secrets });
      expect(end).toMatchObject({ reason: 'Error: ***' });
      expect(made.log()).not.toContain('hunter2');
      const stored = await made.objects.get('runs/run-1/logs/s/0/1.txt');
      expect(Buffer.from(stored ?? []).toString()).toContain('***');
    });

    // What a cluster reads itself never comes so far.
    const [aws, kubernetes] = isContained
      ? [/.* a container of AWS Batch; name `\{ arn: /, /.* a container of Kubernetes; name `\{ secretKeyRef: /]
      : [/.*name `\{ env \}` or `\{ file \}`/, /.*name `\{ env \}` or `\{ file \}`/];
    const readByClusters = [
      {
        secret: { secretKeyRef: { name: 'a', key: 'b' } },
        told: `a secretKeyRef is read by Kubernetes alone${aws.source}`,
      },
      { secret: { arn: 'arn:aws:x' }, told: `an arn is read by AWS alone${kubernetes.source}` },
    ].filter(({ secret }) => !(reads !== undefined && reads in secret));
    it.each([
      { secret: { env: 'NOWHERE' }, told: 'API_KEY of the step cannot be had: the variable NOWHERE is not set' },
      { secret: { file: '/nowhere/token' }, told: 'cannot be had: its file cannot be read: ENOENT' },
      ...readByClusters,
    ])('refuses a secret that it cannot read: $secret', async ({ secret, told }) => {
      const [end] = await made.run(shell('true'), { secrets: { API_KEY: secret } });
      expect(end).toMatchObject({ kind: 'failed', isFinal: true, reason: expect.stringMatching(new RegExp(told)) });
    });
  });

  it('keeps what a task prints, whose it is, where logs lie', async () => {
    const action = await made.task(
      'module.exports = (_, { index }) => { console.log("of", index); require("child_process").execSync("echo below", { stdio: "inherit" }); console.error("err", index); };',
    );
    await made.run(action, range(3), 3);
    for (const index of [0, 1, 2]) {
      expect(made.log(index).split('\n').sort()).toEqual(['', 'below', `err ${index}`, `of ${index}`]);
      const stored = await made.objects.get(`runs/run-1/logs/s/${index}/1.txt`);
      expect(Buffer.from(stored ?? []).toString()).toBe(made.log(index));
    }
  });

  // Elsewhere it is run by `headrace.config.ts` of where it runs.
  it.runIf(isLocal)('runs a step that Headrace itself knows in the driver’s process', async () => {
    const made = await world({
      builtIns: {
        materialize: async ({ views }, { log, item, attempt }) => {
          log('materializing');
          return { views, item, attempt, pid: process.pid };
        },
        evaluate: async (_action, { signal }) =>
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('told')))),
      },
    });
    const [end] = await made.run({ kind: 'materialize', views: ['a'] });
    expect(await made.value(end)).toEqual({ views: ['a'], item: null, attempt: 1, pid: process.pid });
    expect(made.log()).toBe('materializing\n');
    const [slow] = await made.run({ kind: 'evaluate', model: 'm', slices: [] }, { timeoutMs: 50 });
    expect(slow).toMatchObject({ kind: 'failed', cause: 'timeout' });
    const [unknown] = await made.run({ kind: 'promote', model: 'm' });
    expect(unknown).toMatchObject({ kind: 'failed', isFinal: true, reason: expect.stringContaining('"promote"') });
  });

  // Four rounds, one task after another; a worker runs them by the local executor, which is held to it.
  // twin: test/unit/orchestrator-attempt-folders.test.ts > where one left %s the next finds nothing of it; the folder is the same: %j
  fullIt.skipIf(place === 'worker')('gives each attempt folders as they were before the others', async () => {
    const made = await world({ cpus: 1, pack: 9 });
    const go =
      'import json, os\nout = os.environ["HEADRACE_STEP_OUTPUT"]\nindex = json.load(open(os.environ["HEADRACE_STEP_INPUT"]))["index"]\nfound = sorted(os.listdir(".")) + os.listdir(out)\njson.dump([found, open("go.py").read().endswith("# changed\\n")], open(out + "/result.json", "w"))\nif index % 3 == 1: open("left.txt", "w").write("x")\nif index % 3 == 2: open("go.py", "a").write("# changed\\n")';
    const action: StepAction = { kind: 'python', script: 'go.py', args: {}, files: await made.files({ 'go.py': go }) };
    // One after another, and long enough that folders come around again.
    for (let round = 0; round < 4; round++) {
      const ends = await made.run(action, { ...range(9), params: { round } }, 9);
      for (const end of ends) expect(await made.value(end)).toEqual([['go.py'], false]);
    }
  });

  // A fleet's is its workers', a cluster's how much it is given ahead.
  // twin: test/unit/orchestrator-room.test.ts > beside others, for what those leave; and for none where they leave nothing
  fullIt.runIf(isLocal)('says how many tasks it takes, by CPUs and memory less what runs', async () => {
    const made = await world({ cpus: 4, memoryBytes: 8 * 2 ** 30 });
    const room = (...[cpu, memory]: [cpu?: number, memory?: string]) =>
      made.executor.room({ action: 'shell', ...(cpu && { cpu }), ...(memory && { memory }) }).tasks;
    expect([room(), room(2), room(8), room(1, '4Gi'), room(1, '100Gi')]).toEqual([4, 2, 1, 2, 1]);
    const slice = made.slice(await made.order(shell('sleep 1000'), { resources: { cpu: 3, memory: '6Gi' } }), 1);
    const handles = await made.executor.submit([slice]);
    expect([room(), room(2), room(1, '4Gi'), room(1, '1Gi')]).toEqual([1, 0, 0, 1]);
    await made.executor.cancel(handles);
    expect(room()).toBe(4);
    expect(made.executor.room({ action: 'task' }).perSlice).toBeLessThanOrEqual(512);
  });

  // A fleet has as many as its workers together, a container those of one task.
  // twin: test/unit/orchestrator-room.test.ts > beside others, for what those leave; and for none where they leave nothing
  fullIt.runIf(isLocal)(
    'runs no more at once than there are CPUs, and alone what asks for more than there are',
    async () => {
      const made = await world({ cpus: 2 });
      const place = join(made.directory, 'running');
      // Each looks for others for a while, and says how many it saw at most.
      const count = `python3 -c 'import os, time
at = "${place}-%d" % os.getpid()
open(at, "w").close()
most = 0
end = time.time() + 1
while most < 2 and time.time() < end:
    most = max(most, len([name for name in os.listdir("${made.directory}") if name.startswith("running-")]))
    time.sleep(0.01)
time.sleep(0.05)
os.remove(at)
print(most)'`;
      await made.run(shell(count), range(6), 6);
      const most = Math.max(...[0, 1, 2, 3, 4, 5].map((index) => Number(made.log(index).trim())));
      expect(most).toBe(2);
      await made.run(shell(count), { resources: { cpu: 16 }, ...range(2) }, 2);
      expect([made.log(0), made.log(1)]).toEqual(['1\n', '1\n']);
    },
  );

  const container: StepAction = { kind: 'container', image: 'alpine', command: ['true'] };
  // twin: test/unit/orchestrator-container.test.ts > says what is missing where there is neither docker nor podman
  fullIt.skipIf(runsImages)('says what a container lacks where there is no docker and no podman', async () => {
    const made = await world({ variables: { ...process.env, PATH: join(process.execPath, '..') } });
    const reason = expect.stringMatching(/alpine needs docker or podman on the PATH/);
    expect(await made.run(container)).toMatchObject([{ isFinal: true, reason }]);
  });

  // twin: test/unit/orchestrator-container.test.ts > takes an exit code of 125, and no other, for a container that docker could not start
  fullIt.runIf(hasDockerAlone && !runsImages)('says so where docker cannot start a container', async () => {
    const reason = expect.stringMatching(/docker could not start the container/);
    expect(await (await world()).run(container)).toMatchObject([{ kind: 'failed', reason }]);
  });

  // Elsewhere they are a worker's, or go with their container.
  // twin: test/integration/local-launcher.test.ts > a launcher ends all that it started once $what, starts nothing of what waits, and leaves no folder
  fullIt.runIf(isLocal)('leaves no folders behind', async () => {
    const made = await world();
    await made.run(shell('echo x'), {}, 2);
    await made.run(await made.task('module.exports = () => 1;'), {}, 2);
    await made.executor.close();
    expect(readdirSync(join(made.directory, 'work', 'scratch'))).toEqual([]);
  });
}

/** Of processes with this in their environment those that sleep: others may still wait for their turn. */
function sleepsOf(text: string): readonly number[] {
  const sleeping = new Set(processesWith('sleep\u00001000'));
  return processesWith(text).filter((pid) => sleeping.has(pid));
}

/** A driver of its own process, which may be killed. */
const driverOf = ({ directory }: ExecutorWorld, name: string, specs: readonly string[]) =>
  fork(DRIVER, [directory, name, ...specs], { execArgv: ['--conditions=headrace-source'] });
