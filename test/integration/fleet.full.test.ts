// The fleet through deaths of processes: of a worker at work, of one that is paused past its lease, of a driver whose slices another
// adopts.
// twin: test/integration/fleet.test.ts > gives back what a worker had whose lease is over, and takes nothing of it that the worker tells later
// twin: test/integration/fleet.test.ts > goes on with what runs where another driver adopts it, whose it is from then on

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { getRun } from '../../src/orchestrator/index.ts';
import type { PipelineTables } from '../../src/orchestrator/rows/tables.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { testDatabases } from '../support/databases.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { type FleetWorld, openFleetWorld } from '../support/fleet-world.ts';
import { openPipelineProject, writeRepository } from '../support/pipeline-project.ts';

const DRIVER = fileURLToPath(new URL('../support/pipeline-project.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const shell = (command: string): StepAction => ({ kind: 'shell', command });
const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];

describe.each(testDatabases('the fleet through deaths'))('the fleet on $name', (databases) => {
  let fleet: FleetWorld | undefined;
  beforeAll(() => databases.start(), 60_000);
  afterEach(async () => {
    await fleet?.world.close();
    fleet = undefined;
  });
  afterAll(() => databases.stop());

  it('gives back what a worker had that was killed; another runs what comes next', async () => {
    fleet = await openFleetWorld(await databases.newUrl(), { workers: 1, leaseMs: 1500 });
    const { world, workers, addWorker } = fleet;
    const sleeps = shell(`touch ${world.directory}/runs; setsid sleep 1000; sleep 1000`);
    const slice = world.slice(await world.order(sleeps), 2);
    await world.executor.submit([slice]);
    await until(() => existsSync(join(world.directory, 'runs')), 'its start');
    const [worker] = workers;
    worker?.child.kill('SIGKILL');
    expect(await world.ends(slice)).toMatchObject([
      { kind: 'lost', reason: expect.stringMatching(/worker that ran it is gone/) },
      { kind: 'lost' },
    ]);
    const started = () => processesWith(`HEADRACE_ATTEMPT=${worker?.names[0]}:`);
    await until(() => started().length === 0, 'the end of what it started');
    const next = world.slice(await world.order(shell('true')), 1, 2);
    await world.executor.submit([next]);
    await addWorker();
    expect(await world.ends(next)).toMatchObject([{ kind: 'succeeded' }]);
  });

  it('gives what a paused worker has to another, and takes nothing of it once it is woken', async () => {
    fleet = await openFleetWorld(await databases.newUrl(), { leaseMs: 1500 });
    const { world, workers } = fleet;
    const [ran, go] = [join(world.directory, 'ran'), join(world.directory, 'go')];
    const spec = await world.order(
      shell(`echo $HEADRACE_ATTEMPT >> ${ran}; while test ! -e ${go}; do sleep 0.05; done; echo done >> ${ran}`),
    );
    const slice = world.slice(spec);
    await world.executor.submit([slice]);
    await until(() => linesOf(ran).length === 1, 'its start');
    const paused = workers.find(({ names }) => linesOf(ran)[0]?.startsWith(`${names[0]}:`) === true);
    paused?.child.kill('SIGSTOP');
    expect(await world.ends(slice)).toMatchObject([{ kind: 'lost' }]);
    const again = world.slice(spec, 1, 2);
    await world.executor.submit([again]);
    await until(() => linesOf(ran).length === 2, 'its second start');
    paused?.child.kill('SIGCONT');
    await until(() => paused?.names.length === 2, 'the second lease of the woken one');
    writeFileSync(go, '');
    expect(await world.ends(again)).toMatchObject([{ kind: 'succeeded', attempt: 2 }]);
    const [first = '', second = ''] = linesOf(ran);
    expect(paused?.names.some((name) => second.startsWith(`${name}:`))).toBe(false);
    expect(first).not.toBe(second);
    const ends = world.events.filter(({ kind }) => kind !== 'started');
    expect(ends.map(({ kind, attempt }) => `${attempt} ${kind}`)).toEqual(['1 lost', '2 succeeded']);
    // The first attempt was ended before the second began.
    expect(linesOf(ran)).toEqual([first, second, 'done']);
  });

  it('is served by `headrace worker`, with the registry and the artifact store alone', async () => {
    fleet = await openFleetWorld(await databases.newUrl(), { workers: 0 });
    const { world, registryUrl } = fleet;
    const { PATH = '', HOME = '' } = process.env;
    const places = ['--registry', registryUrl, '--artifacts', `file:${join(world.directory, 'artifacts')}`];
    const line = ['--conditions=headrace-source', MAIN, 'worker', '--json', '--slots', '1', ...places];
    const command = spawn(process.execPath, line, { cwd: world.directory, env: { PATH, HOME } });
    const gone = once(command, 'exit');
    const [told] = await Promise.race([once(command.stdout, 'data'), gone]);
    expect(JSON.parse(String(told))).toMatchObject({ worker: expect.any(String), slots: 1, pid: command.pid });
    const task = await world.task('module.exports = (_, { params }) => params.seed;');
    const [end] = await world.run(task, { params: { seed: 7 } });
    expect(await world.value(end)).toBe(7);
    command.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
  });

  it.each([
    { what: 'another adopts it', setting: 'fleet' },
    { what: 'another adopts it, though the setting sends what comes next to its own machine', setting: 'local' },
  ])(
    'goes on with what runs when its driver is killed: $what, and no task runs twice',
    async ({ setting }) => {
      const directory = writeRepository({
        'p.ts': `import { pipeline, shell } from 'headrace';
const p = pipeline('p');
const fan = p.step('fan', shell('echo $HEADRACE_ATTEMPT >> __PROJECT__/ran; while test ! -e __PROJECT__/go; do sleep 0.05; done'), { foreach: [1, 2, 3, 4] });
p.step('after', shell('echo $HEADRACE_ATTEMPT >> __PROJECT__/after'), { needs: { fan } });
export default p;`,
      });
      const url = await databases.newUrl();
      fleet = await openFleetWorld(url, { directory });
      const ran = join(directory, 'ran');
      const driver = fork(DRIVER, [directory, 'run', 'p', url], {
        execArgv: ['--conditions=headrace-source'],
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      const [line] = await once(driver.stdout ?? process.stdin, 'data');
      const id = String(line).trim();
      await until(() => linesOf(ran).length === 4, 'the start of all');
      driver.kill('SIGKILL');
      await once(driver, 'exit');

      const workers = fleet.workers.flatMap(({ names }) => names);
      const second = fork(DRIVER, [directory, 'resume', id, url, setting], {
        execArgv: ['--conditions=headrace-source'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const gone = once(second, 'exit');
      const database = await openDatabase(url);
      const rows = database.tables<PipelineTables>().selectFrom('pipeline_runs').select('epoch').where('id', '=', id);
      const deadline = Date.now() + 20_000;
      while ((await rows.executeTakeFirstOrThrow()).epoch < 2 && Date.now() < deadline) await delay(20);
      writeFileSync(join(directory, 'go'), '');
      expect(await gone).toEqual([0, null]);
      const { deps, close } = await openPipelineProject(directory, { registryUrl: url });
      expect(await getRun(deps, id)).toMatchObject({ state: 'succeeded', steps: [{ counts: { succeeded: 4 } }, {}] });
      expect(linesOf(ran)).toHaveLength(4);
      const [after = ''] = linesOf(join(directory, 'after'));
      expect(workers.some((name) => after.startsWith(`${name}:`))).toBe(setting === 'fleet');
      await close();
      await database.close();
    },
    60_000,
  );
});
