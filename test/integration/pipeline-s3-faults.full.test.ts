// Runs whose artifacts lie in a real S3 server that is slow, refuses, or goes away: a task's work is done once, whatever that takes.
// twin: test/integration/cluster-executor.test.ts > waits for an artifact store that is away, and takes nothing for lost meanwhile

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runPipeline } from '../../src/orchestrator/index.ts';
import { processesWith, until } from '../support/executor-world.ts';
import { type Fault, type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.ts';
import { ownProject, ownWorld } from '../support/opened.ts';
import { commitsOf } from '../support/run-commits.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { openObjectStore } from '../../src/storage/index.ts';

const program = findS3Server('runs whose artifacts lie in S3');
describe.skipIf(program === undefined)('a store in S3', { timeout: 60_000 }, () => {
  let server: S3Server;
  let proxy: FaultyProxy;
  let url = '';
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    proxy = await startFaultyProxy(server.endpoint);
    vi.stubEnv('AWS_ACCESS_KEY_ID', server.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.secretAccessKey);
  }, 120_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy?.stop();
    await server?.stop();
  });
  beforeEach(async () => {
    url = `s3://${await server.newBucket()}/p?endpoint=${encodeURIComponent(proxy.endpoint)}&pathStyle=true&region=us-east-1`;
  });
  afterEach(() => void (proxy.fault = () => undefined));

  it.each<[string, Fault]>([
    ['is slow', { kind: 'slow', ms: 300 }],
    ['refuses with 503', { kind: 'status', status: 503 }],
    ['goes away in the middle of an answer', { kind: 'cut', afterBytes: 10 }],
  ])('that %s holds up a run, which loses nothing by it', async (_, fault) => {
    const text = `import { statSync } from 'node:fs';
import { pipeline, range, shell, task } from 'headrace';
const p = pipeline('p');
const wide = p.step('wide', task((_, { index }) => 'x'.repeat(5000) + index), { foreach: range(20) });
const said = p.step('said', shell('echo x >> __PROJECT__/ran; head -c 5000 /dev/zero > $HEADRACE_STEP_OUTPUT/f'), { foreach: range(4) });
p.step('all', task(({ wide, said }) => [wide.length, wide[7].length, ...said.map((one) => statSync(one.files.f.path).size)]), { needs: { wide, said } });
export default p;`;
    const { deps, directory } = await ownProject(text, { artifactsUrl: url, objects: openObjectStore(url) });
    // From before its first step is prepared.
    const onStart = (): void => {
      const untilMs = performance.now() + 3000;
      proxy.fault = () => (performance.now() < untilMs ? fault : undefined);
    };
    const run = await runPipeline(deps, { pipeline: 'p', onStart });
    expect(run).toMatchObject({ state: 'succeeded', steps: [{}, {}, { result: [20, 5001, 5000, 5000, 5000, 5000] }] });
    expect(readFileSync(join(directory, 'ran'), 'utf8')).toBe('x\nx\nx\nx\n');
    expect(await commitsOf(deps, run.id)).toEqual({ tasks: 25, twice: [] });
  });

  it('that is away holds up no cancel and no end', async () => {
    const made = ownWorld({ artifactsUrl: url, objects: openObjectStore(url) });
    const begun = join(made.directory, 'begun');
    const command = `touch ${begun}; head -c 5000 /dev/zero > $HEADRACE_STEP_OUTPUT/f`;
    const spec = await made.order({ kind: 'shell', command });
    proxy.fault = (method) => (method === 'PUT' ? { kind: 'status', status: 503 } : undefined);
    const slice = made.slice(spec);
    await made.executor.submit([slice]);
    await until(() => existsSync(begun), 'its start');
    await made.executor.close();
    expect(processesWith(made.driver)).toEqual([]);
  });
});
