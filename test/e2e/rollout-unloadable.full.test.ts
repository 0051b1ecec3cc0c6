// A candidate that one of two servers can not load, by what is wrong there alone: no traffic goes to it anywhere, and who waits is
// told which server it is.
// twin: test/contract/rollouts.test.ts > ends with the reason where a server can not load the candidate
// twin: test/contract/registry-traffic-changes.test.ts > that one cannot load changes nothing, and tells why

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linearModel, mlpModel } from '../support/onnx-model.ts';
import { expectUntouched, openRolloutServers, type RolloutServers, SAME, STABLE } from '../support/rollout-servers.ts';

const GONE = linearModel(1, { scale: 1.001 });
const OTHER_BYTES = linearModel(1, { scale: 1.002 });
const NO_FILE = linearModel(1, { scale: 1.003 });
const LARGE = mlpModel(1, 150);

describe('a candidate that one server can not load', { timeout: 60_000 }, () => {
  let world: RolloutServers;
  beforeAll(async () => {
    world = await openRolloutServers({
      versions: [GONE, OTHER_BYTES, NO_FILE, LARGE],
      envs(project) {
        cpSync(project.file('.headrace/artifacts'), project.file('own'), { recursive: true });
        return [{}, { HEADRACE_ARTIFACTS_URL: 'file:own', HEADRACE_MODELS_MEMORY: '64KiB' }];
      },
    });
    world.ask();
  }, 90_000);
  afterAll(async () => {
    await world?.close();
  });

  /** The second server's file of a version. */
  const fileOf = (onnx: Uint8Array): string => {
    const root = world.project.file('own');
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name));
    return paths.find((path) => Buffer.compare(readFileSync(path), onnx) === 0) as string;
  };
  const nameOf = (server: number): string => ` ${world.servers[server]?.process.pid}`;

  it.each([
    ['is gone', 4, GONE, (path: string): void => rmSync(path), /is not in the store/],
    ['has other bytes', 5, OTHER_BYTES, (path: string): void => writeFileSync(path, linearModel(1)), /HR_/],
    [
      'can not be read',
      6,
      NO_FILE,
      (path: string): void => {
        rmSync(path);
        mkdirSync(path);
      },
      /HR_/,
    ],
    ['does not fit its memory', 7, LARGE, (): void => {}, /that models may have/],
  ] as const)(
    'since its file %s goes back, which names the server and why',
    async (_how, version, onnx, spoil, why) => {
      spoil(fileOf(onnx));
      let id = '';
      const meanwhile = await world.during(async () => {
        ({ id } = await world.start({ candidate: version, steps: [50, 100], hold: '10m' }));
        const ended = await world.until(id, ({ state }) => state === 'rolled_back');
        expect(ended.history.map(({ to }) => to)).toEqual(['pending', 'preparing', 'rolling_back', 'rolled_back']);
        expect(ended.reason).toContain(`version ${version} can not be served: `);
        expect(ended.reason).toContain(nameOf(1));
        expect(ended.reason).not.toContain(nameOf(0));
        expect(ended.reason).toMatch(why);
      });
      expectUntouched(meanwhile, [STABLE]);
    },
  );

  it('and hangs is waited for as long as a step may take, and named', async () => {
    const { process: second } = world.servers[1] as (typeof world.servers)[number];
    let id = '';
    const meanwhile = await world.during(async () => {
      second.kill('SIGSTOP');
      try {
        ({ id } = await world.start({ candidate: SAME, steps: [50, 100], hold: '1s', max_hold: '2s' }));
        const paused = await world.until(id, ({ state }) => state === 'paused');
        expect(paused.history.map(({ to }) => to)).toEqual(['pending', 'preparing', 'paused']);
        expect(paused.reason).toMatch(/^not decided after 2s: .* have yet to load the candidate$/);
        expect(paused.reason).toContain(nameOf(1));
        expect(paused.reason).not.toContain(nameOf(0));
        expect(paused.weights).toEqual({ stable: 100 });
      } finally {
        second.kill('SIGCONT');
      }
    });
    expectUntouched(meanwhile, [STABLE], [0]);
    // It answers again, and its second try goes well.
    await post(`/${id}/resume`);
    await world.until(id, ({ state }) => state === 'watching');
    await world.rest();
    expect(world.answers.filter(({ status }) => status !== 200)).toEqual([]);
  });

  const post = async (path: string): Promise<void> => {
    const response = await fetch(`${world.servers[0]?.url}/v1/rollouts${path}`, { method: 'POST' });
    expect(response.status).toBe(200);
  };
});
