// `headrace endpoints` against servers that tell the registry of themselves: what it prints, and how it exits.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import type { PreparedTraffic, Registry } from '../../src/registry/index.ts';
import { predict, testProject } from '../support/test-project.ts';
import { fullIt } from '../support/tier.ts';
import { typeCommand } from '../support/typed-command.ts';

const project = testProject();
let app: App;
let registry: Registry;
beforeAll(async () => {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  app = await openApp({ environment, logger: silentLogger });
  registry = await app.registry();
}, 90_000);
afterAll(() => app.close());
beforeEach(() => registry.servers.leave('a'));

const next = async (): Promise<number> => {
  const { revision, change } = await registry.endpoints.get('checkout');
  return Math.max(revision, change?.revision ?? 0) + 1;
};
/** A server that answers by what is active, and is so far with what comes next. */
const SERVER = { machine: 'one', pid: 11, startedMicros: 0, revision: 1, failure: null, reads: [], folds: [] };
const SERVING = { checkout: { state: 'serving', revision: 99, versions: [1], reason: null } } as const;
const tell = (checkout: PreparedTraffic) =>
  registry.servers.report('a', { ...SERVER, endpoints: SERVING, prepared: { checkout } });
const traffic = (words: string, ...more: string[]) =>
  project.run([...`endpoints traffic checkout ${words}`.trimEnd().split(' '), ...more]);
const show = () => project.run('endpoints show checkout').stdout;

it('shows an endpoint where no server is', () => {
  expect(show()).toBe('checkout: model returns, unit customer\nstable=1:100\nETag "r2"\n\nNo server is live.\n');
});

describe('traffic that is not active in the end', () => {
  it('fails with what each server says, where one can not load it', async () => {
    await tell({ revision: await next(), failure: 'HR_MODEL_UNREADABLE: no such file' });
    const { code, stdout, stderr } = traffic('stable=2:100');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(
      'HR_NOT_PREPARED: revision 3 of endpoint "checkout" can\'t be served, so nothing has changed.',
    );
    expect(stderr).toContain('one 11: HR_MODEL_UNREADABLE: no such file');
    expect(show()).toContain(
      'Revision 3 could not be loaded: stable=2:100\n  one 11: HR_MODEL_UNREADABLE: no such file\n\nSERVER',
    );
    expect(project.json('endpoints show checkout')).toMatchObject({ variants: [{ version: 1 }] });
  });

  it('fails where another was asked for after it', async () => {
    const revision = await next();
    // It has loaded the one that comes after.
    await tell({ revision: revision + 1, failure: null });
    const type = (words: string) => typeCommand(project.directory, `endpoints traffic checkout ${words}`.split(' '));
    const first = type('stable=2:100');
    const asked = async () => (await registry.endpoints.get('checkout')).change?.revision;
    await expect.poll(asked, { timeout: 20_000 }).toBe(revision);
    expect((await type('stable=1:90 new=2:10')).code).toBe(0);
    const stderr = expect.stringContaining(`HR_CONFLICT: revision ${revision} of endpoint "checkout" never was active`);
    expect(await first).toMatchObject({ code: 1, stderr });
  });

  it('fails where --if-match is another ETag', async () => {
    const stderr = expect.stringContaining('HR_PRECONDITION');
    expect(traffic('stable=1:100 --if-match r1 --reason', 'a try')).toMatchObject({ code: 1, stderr });
    const { revision } = await registry.endpoints.get('checkout');
    expect(traffic(`stable=1:100 --if-match r${revision}`).code).toBe(0);
  });
});

describe('shadows', () => {
  it('are set beside the variants or alone, stay over a change of these, and end', () => {
    const set = (words: string, version: number, ...shadows: readonly (readonly [number, number])[]) =>
      expect(project.json(`endpoints traffic checkout ${words}`)).toMatchObject({
        variants: [{ version }],
        shadows: shadows.map(([of, percent]) => ({ version: of, percent })),
      });
    set('stable=1:100 --shadow latest:12.5', 1, [2, 12.5]);
    set('stable=2:100', 2, [2, 12.5]);
    set('--shadow 2:12.5 --shadow champion:100', 2, [2, 12.5], [1, 100]);
    expect(show()).toContain('stable=2:100, shadowed by 2:12.5 1:100');
    set('--no-shadows', 2);
  });

  it.each([
    ['--shadow 2', 'a shadow is written version:percent'],
    ['--shadow 2:5 --no-shadows', 'say different things'],
    ['', 'name the variants, such as stable=1:100, or shadows'],
  ])('that are written wrong are wrong usage: %s', (words, told) => {
    expect(traffic(words)).toMatchObject({ code: 2, stderr: expect.stringContaining(told) });
  });

  // twin: test/property/monitoring-shadows.test.ts > are the same whichever process counted what, and in whatever parts they were told
  fullIt(
    'are compared by a running server, and where none answers the command says so',
    { timeout: 60_000 },
    async () => {
      const server = await project.serve();
      const asked = `endpoints shadows checkout --url ${server.url}`;
      expect(traffic('stable=1:100 --shadow 2:100').code).toBe(0);
      await predict(server);
      await expect
        .poll(() => project.json(asked), { timeout: 10_000, interval: 200 })
        .toMatchObject({
          scope: 'server',
          shadows: [{ version: 2, percent: 100, pairs: 1, agreement: 0, mean_abs_difference: 0.5 }],
        });
      const [head = '', line = ''] = project.run(asked).stdout.split('\n');
      expect(head).toMatch(
        /^VERSION +PERCENT +PAIRS +ERRORS +AGREE +DIFFERENCE +PSI +PRIMARY P99 +SHADOW P99 +DROPPED$/,
      );
      expect(line).toMatch(/^2 +100 +1 +0 +0\.0 % +0\.5 /);
      const unknown = project.run(asked.replace('checkout', 'nothing'));
      expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('HR_UNKNOWN_ENDPOINT') });
      await server.stop();
      const stderr = expect.stringContaining('HR_SERVER_UNREACHABLE');
      expect(project.run(asked)).toMatchObject({ code: 1, stderr });
    },
  );
});
