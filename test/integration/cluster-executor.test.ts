// What all clusters have in common: parts and packs, ends read from the artifact store, and drivers that
// die and are followed by others.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openClusterExecutor } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import type { ClusterExecutorOptions } from '../../src/orchestrator/executors/cluster/cluster-executor.ts';
import { readWaits } from '../../src/orchestrator/committed/run-waits.ts';
import { type ObjectStore, openObjectStore } from '../../src/storage/index.ts';
import { createWorld, type ExecutorWorld, until } from '../support/executor-world.ts';
import { createProcessCluster, type ProcessCluster, STEP_COMMAND } from '../support/process-jobs.ts';
import { fullIt } from '../support/tier.ts';

const shell = (command: string): StepAction => ({ kind: 'shell', command });
const range = (end: number) => ({ foreach: { kind: 'range', start: 0, end } as const });

const NOTHING = 'module.exports = () => {};';
const HANGS = 'module.exports = () => new Promise(() => {});';

describe('a cluster’s executor', () => {
  let folder = '';
  let cluster: ProcessCluster | undefined;
  const worlds: ExecutorWorld[] = [];

  const make = (env: Readonly<Record<string, string>>, secrets = {}, isInProcess = false): ProcessCluster => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-cluster-'));
    const inProcess = isInProcess ? openObjectStore(`file:${join(folder, 'artifacts')}`) : undefined;
    return (cluster = createProcessCluster(folder, env, secrets, inProcess));
  };
  /** Its parts run functions in this process. */
  const makeCluster = (): ProcessCluster => make({}, {}, true);
  /** Its parts are processes, with the secrets that it holds. */
  const makeProcesses = (secrets: Readonly<Record<string, string>> = {}): ProcessCluster => {
    const { PATH = '', HOME = '' } = process.env;
    return make({ PATH, HOME }, secrets);
  };
  const openWorld = (
    on: ProcessCluster,
    options: Partial<ClusterExecutorOptions> & { readonly wrap?: (objects: ObjectStore) => ObjectStore } = {},
  ): ExecutorWorld => {
    const url = `file:${join(folder, 'artifacts')}`;
    const objects = openObjectStore(url);
    const driver = options.driver ?? `cluster-test/${worlds.length}`;
    const executor = openClusterExecutor({
      kind: 'kubernetes',
      jobs: on.open(),
      objects: options.wrap?.(objects) ?? objects,
      run: 'run-1',
      driver,
      pack: 1,
      logger: silentLogger,
      env: { HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: join(folder, 'offline') },
      command: STEP_COMMAND,
      ...options,
    });
    const world = createWorld({ directory: folder, driver, objects, executor });
    worlds.push(world);
    return world;
  };

  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.executor.close();
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('runs a part for every `pack` tasks, and tells of each with its own attempt', async () => {
    const on = makeCluster();
    const made = openWorld(on, { pack: 2 });
    const action = await made.task('module.exports = (_, { index, attempt }) => [index, attempt];');
    const spec = await made.order(action, range(5));
    const slice = { id: 'mixed', spec, tasks: [0, 2, 4].map((index) => ({ index, attempt: index + 1 })) };
    expect(await made.executor.submit([slice])).toEqual([{ slice: 'mixed', at: 'run-1' }]);
    expect(on.jobs.get('headrace-mixed')?.spec.parts).toBe(2);
    const ends = await made.ends(slice);
    expect((await Promise.all(ends.map(made.value))).map(String)).toEqual(['0,1', '2,3', '4,5']);
  });

  it('tells a failure of a pack apart from the rest of it', async () => {
    const made = openWorld(makeCluster(), { pack: 3 });
    const action = await made.task("module.exports = (_, { index }) => { if (index === 1) throw new Error('no'); };");
    const ends = await made.run(action, range(3), 3);
    expect(ends).toMatchObject([{ kind: 'succeeded' }, { kind: 'failed', reason: 'Error: no' }, { kind: 'succeeded' }]);
  });

  it('tells tasks of a container that died as lost, and takes the results that it left', async () => {
    const on = makeCluster();
    const made = openWorld(on, { pack: 2 });
    const place = join(folder, 'second');
    const action = await made.task(
      `module.exports = async (_, { index }) => { if (index === 1) { require('fs').writeFileSync(${JSON.stringify(place)}, ''); await new Promise(() => {}); } return index; };`,
    );
    const slice = made.slice(await made.order(action, range(2)), 2);
    await made.executor.submit([slice]);
    await until(
      () => existsSync(place) && existsSync(join(folder, 'artifacts', 'runs', 'run-1', 's', '0', 'result.json')),
    );
    await on.evict(`headrace-${slice.id}`, 0);
    expect(await made.ends(slice)).toMatchObject(
      [{ kind: 'succeeded' }, { kind: 'lost', reason: /SIGKILL/ }].map((end) => ({ kind: end.kind })),
    );
  });

  it('goes on with what another driver began, and tells what ended between them', async () => {
    const on = makeCluster();
    const first = openWorld(on);
    const place = join(folder, 'go');
    const spec = await first.order(
      await first.task(
        `module.exports = async (_, { index }) => { while (index === 1 && !require('fs').existsSync(${JSON.stringify(place)})) await new Promise((done) => setTimeout(done, 10)); return index; };`,
      ),
      range(2),
    );
    const slice = first.slice(spec, 2);
    await first.executor.submit([slice]);
    const second = openWorld(on, { driver: 'second' });
    expect(await second.executor.adopt([{ slice: slice.id, at: 'run-1' }])).toEqual(['running']);
    // What the first one cancels now, once it wakes, is no longer its own.
    await first.executor.cancel([{ slice: slice.id, at: 'run-1' }]);
    expect(on.jobs.size).toBe(1);
    writeFileSync(place, '');
    expect(await second.ends(slice)).toMatchObject([{ kind: 'succeeded' }, { kind: 'succeeded' }]);
    const third = openWorld(on, { driver: 'third' });
    expect(await third.executor.adopt([{ slice: slice.id, at: 'run-1' }])).toEqual(['running']);
    expect(await third.ends(slice)).toMatchObject([{ kind: 'succeeded' }, { kind: 'succeeded' }]);
  });

  it('calls a slice gone whose job was never made, and makes sure that it never is', async () => {
    const on = makeCluster();
    const [stale, next] = [openWorld(on), openWorld(on, { driver: 'next' })];
    const place = join(folder, 'ran');
    const slice = stale.slice(
      await stale.order(await stale.task(`module.exports = () => require('fs').writeFileSync('${place}', 'x');`)),
    );
    on.failSubmits(1);
    await expect(stale.executor.submit([slice])).rejects.toThrow(/the cluster is away/);
    expect(await next.executor.adopt([{ slice: slice.id, at: 'run-1' }])).toEqual(['gone']);
    const other = openWorld(on, { driver: 'stale again' });
    await other.executor.submit([slice]);
    expect(await other.ends(slice)).toMatchObject([{ kind: 'lost' }]);
    expect(await next.executor.adopt([{ slice: 'never-heard-of', at: 'run-1' }])).toEqual(['gone']);
    expect(on.jobs.size).toBe(0);
    expect(existsSync(place)).toBe(false);
  });

  it('tells what ended of a slice whose job the cluster has forgotten', async () => {
    const on = makeCluster();
    const first = openWorld(on, { pack: 2 });
    const slice = first.slice(await first.order(await first.task(NOTHING), range(2)), 2);
    await first.executor.submit([slice]);
    await first.ends(slice);
    on.jobs.clear();
    const second = openWorld(on, { driver: 'second' });
    expect(await second.executor.adopt([{ slice: slice.id, at: 'run-1' }])).toEqual(['running']);
    expect(await second.ends(slice)).toMatchObject([{ kind: 'succeeded' }, { kind: 'succeeded' }]);
  });

  // twin: test/integration/fleet.test.ts > has more room the more workers there are, and says where nobody serves it
  fullIt('keeps what a step waits for beside the run, as long as it does', async () => {
    const on = makeCluster();
    const jobs = on.open();
    const held = new Map<string, string>();
    const made = openWorld(on, { jobs: { ...jobs, waits: () => held }, driver: 'mine' });
    const slice = made.slice(await made.order(await made.task(HANGS)));
    const handles = await made.executor.submit([slice]);
    held.set(`headrace-${slice.id}`, 'no node takes its pod');
    const told = (driver: string) => readWaits(made.objects, 'run-1', driver);
    await expect.poll(() => told('mine'), { timeout: 10_000 }).toEqual(new Map([['s', 'no node takes its pod']]));
    // What a driver said that is gone counts no more.
    expect(await told('another')).toEqual(new Map());
    held.clear();
    await expect.poll(() => told('mine'), { timeout: 10_000 }).toEqual(new Map());
    await made.executor.cancel(handles);
  });

  it('tells of a job that somebody removed as lost', async () => {
    const on = makeCluster();
    const made = openWorld(on);
    const slice = made.slice(await made.order(await made.task(HANGS)));
    await made.executor.submit([slice]);
    await on.remove(`headrace-${slice.id}`);
    expect(await made.ends(slice)).toMatchObject([{ kind: 'lost' }]);
  });

  it('waits for an artifact store that is away, and takes nothing for lost meanwhile', async () => {
    const on = makeCluster();
    let refused = 0;
    let isAway = false;
    const made = openWorld(on, {
      wrap: (objects) => ({
        ...objects,
        async get(key) {
          if (isAway && refused < 4) {
            refused += 1;
            throw Object.assign(new Error('503 Slow Down'), { code: 'HR_STORAGE_UNAVAILABLE' });
          }
          return await objects.get(key);
        },
      }),
    });
    const slice = made.slice(await made.order(await made.task(NOTHING)));
    await made.executor.submit([slice]);
    isAway = true;
    expect(await made.ends(slice)).toMatchObject([{ kind: 'succeeded' }]);
    expect(refused).toBe(4);
  });

  // twin: test/integration/cluster-executor.test.ts > runs a part for every `pack` tasks, and tells of each with its own attempt
  fullIt('gives a container the secrets that its cluster reads, and says of others what to name', async () => {
    const on = makeProcesses({ 'keys/api': 'hunter2-secret' });
    const made = openWorld(on);
    const secrets = { API_KEY: { secretKeyRef: { name: 'keys', key: 'api' } } };
    const action = await made.task(
      'module.exports = () => { console.log(process.env.API_KEY); return process.env.API_KEY === "hunter2-secret"; };',
    );
    const [end] = await made.run(action, { secrets });
    expect(await made.value(end)).toBe(true);
    const log = await made.objects.get('runs/run-1/logs/s/0/1.txt');
    expect(Buffer.from(log ?? []).toString()).toBe('***\n');
    const slices = JSON.stringify([...on.jobs.values()].map(({ spec }) => spec));
    expect(slices).not.toContain('hunter2');
    const [bare] = await made.run(shell('true'), { secrets: { TOKEN: { env: 'TOKEN' } }, step: 'bare' });
    expect(bare).toMatchObject({
      kind: 'failed',
      isFinal: true,
      reason: expect.stringMatching(
        /TOKEN is not set there, and this step runs in a container of Kubernetes; name `\{ secretKeyRef/,
      ),
    });
  });
});
