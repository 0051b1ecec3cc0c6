// Runs whose artifacts lie in a real S3 server, behind what networks and busy servers do to it: it is slow, it refuses, it goes away
// in the middle of an answer. A task's work is done once, whatever that takes.
// twin: test/integration/cluster-executor.test.ts > waits for an artifact store that is away

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runPipeline } from '../../src/orchestrator/index.ts';
import { type ExecutorWorld, openExecutorWorld, processesWith, until } from '../support/executor-world.ts';
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { openPipelineProject, removeProject, writeRepository } from '../support/pipeline-project.ts';
import { commitsOf } from '../support/run-commits.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { openObjectStore } from '../../src/storage/index.ts';

const program = findS3Server('runs whose artifacts lie in S3');
const FAULTS: readonly { readonly name: string; readonly fault: Fault }[] = [
  { name: 'is slow', fault: { kind: 'slow', ms: 300 } },
  { name: 'refuses with 503', fault: { kind: 'status', status: 503 } },
  { name: 'goes away in the middle of an answer', fault: { kind: 'cut', afterBytes: 10 } },
];

describe.skipIf(program === undefined)('a store in S3', { timeout: 60_000 }, () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let url = '';
  let world: ExecutorWorld | undefined;
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
    process.env['AWS_ACCESS_KEY_ID'] = server.accessKeyId;
    process.env['AWS_SECRET_ACCESS_KEY'] = server.secretAccessKey;
  }, 120_000);
  afterAll(async () => {
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    url = `s3://${await server.newBucket()}/p?endpoint=${encodeURIComponent(proxy.endpoint)}&pathStyle=true&region=us-east-1`;
  });
  afterEach(async () => {
    proxy.fault = () => undefined;
    await world?.close();
    world = undefined;
  });

  const openWorld = (): ExecutorWorld => {
    world = openExecutorWorld({ artifactsUrl: url, objects: openObjectStore(url) });
    return world;
  };
  /** For so long, from now on. */
  const during = (ms: number, fault: Fault): void => {
    const untilMs = performance.now() + ms;
    proxy.fault = () => (performance.now() < untilMs ? fault : undefined);
  };

  it.each(FAULTS)('that $name holds up a run, which loses nothing by it', async ({ fault }) => {
    const directory = writeRepository({
      'p.ts': `import { statSync } from 'node:fs';
import { pipeline, range, shell, task } from 'headrace';
const p = pipeline('p');
const wide = p.step('wide', task((_, { index }) => 'x'.repeat(5000) + index), { foreach: range(20) });
const said = p.step('said', shell('echo x >> __PROJECT__/ran; head -c 5000 /dev/zero > $HEADRACE_STEP_OUTPUT/f'), { foreach: range(4) });
p.step('all', task(({ wide, said }) => [wide.length, wide[7].length, ...said.map((one) => statSync(one.files.f.path).size)]), { needs: { wide, said } });
export default p;`,
    });
    const objects = openObjectStore(url);
    const made = await openPipelineProject(directory, { artifactsUrl: url, objects });
    let id = '';
    const onStart = (started: string): void => {
      id = started;
      // From before its first step is prepared.
      during(3000, fault);
    };
    const run = await runPipeline(made.deps, { pipeline: 'p', onStart });
    expect(run).toMatchObject({ state: 'succeeded', steps: [{}, {}, { result: [20, 5001, 5000, 5000, 5000, 5000] }] });
    expect(readFileSync(join(directory, 'ran'), 'utf8')).toBe('x\nx\nx\nx\n');
    expect(await commitsOf(made.deps, id)).toEqual({ tasks: 25, twice: [] });
    await made.close();
    removeProject(directory);
  });

  it('that is away holds up no cancel and no end', async () => {
    const made = openWorld();
    const begun = join(made.directory, 'begun');
    const spec = await made.order({
      kind: 'shell',
      command: `touch ${begun}; head -c 5000 /dev/zero > $HEADRACE_STEP_OUTPUT/f`,
    });
    proxy.fault = (method) => (method === 'PUT' ? { kind: 'status', status: 503 } : undefined);
    const slice = made.slice(spec);
    await made.executor.submit([slice]);
    await until(() => existsSync(begun), 'its start');
    await made.executor.close();
    expect(processesWith(made.driver)).toEqual([]);
  });
});
