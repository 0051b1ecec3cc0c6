// `headrace endpoints` against servers that tell the registry of themselves: what it prints, and how it exits.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import type { PreparedTraffic, Registry } from '../../src/registry/index.ts';
import { createServingProject, headrace, headraceJson, type Project, startServe } from '../support/serving-project.ts';
import { fullIt } from '../support/tier.ts';
import { typeCommand } from '../support/typed-command.ts';

let project: Project;
let app: App;
let registry: Registry;
beforeAll(async () => {
  project = createServingProject();
  app = await openApp({
    environment: { ...readEnvironment({}), workingDirectory: project.directory },
    logger: silentLogger,
  });
  registry = await app.registry();
}, 90_000);
afterAll(async () => {
  await app.close();
  project.remove();
});

const next = async (): Promise<number> => {
  const { revision, change } = await registry.endpoints.get('checkout');
  return Math.max(revision, change?.revision ?? 0) + 1;
};

/** A server that answers by what is active, and is so far with what comes next. */
const tell = (prepared: PreparedTraffic) =>
  registry.servers.report('a', {
    machine: 'one',
    pid: 11,
    startedMicros: 0,
    revision: 1,
    failure: null,
    reads: [],
    folds: [],
    prepared: { checkout: prepared },
    endpoints: { checkout: { state: 'serving', revision: 99, versions: [1], reason: null } },
  });

const traffic = (...args: string[]) => headrace(project, ['endpoints', 'traffic', 'checkout', ...args]);

it('shows an endpoint where no server is', () => {
  const { stdout } = headrace(project, ['endpoints', 'show', 'checkout']);
  expect(stdout).toBe('checkout: model returns, unit customer\nstable=1:100\nETag "r2"\n\nNo server is live.\n');
});

describe('traffic that is not active in the end', () => {
  beforeEach(() => registry.servers.leave('a'));

  it('fails with what each server says, where one can not load it', async () => {
    await tell({ revision: await next(), failure: 'HR_MODEL_UNREADABLE: no such file' });
    const { code, stdout, stderr } = traffic('stable=2:100');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(
      'HR_NOT_PREPARED: revision 3 of endpoint "checkout" can\'t be served, so nothing has changed.',
    );
    expect(stderr).toContain('one 11: HR_MODEL_UNREADABLE: no such file');
    expect(headrace(project, ['endpoints', 'show', 'checkout']).stdout).toContain(
      'Revision 3 could not be loaded: stable=2:100\n  one 11: HR_MODEL_UNREADABLE: no such file\n\nSERVER',
    );
    expect(headraceJson(project, ['endpoints', 'show', 'checkout'])).toMatchObject({ variants: [{ version: 1 }] });
  });

  it('fails where another was asked for after it', async () => {
    const revision = await next();
    // It has loaded the one that comes after.
    await tell({ revision: revision + 1, failure: null });
    const first = typeCommand(project.directory, ['endpoints', 'traffic', 'checkout', 'stable=2:100']);
    await expect
      .poll(async () => (await registry.endpoints.get('checkout')).change?.revision, { timeout: 20_000 })
      .toBe(revision);
    const later = await typeCommand(project.directory, ['endpoints', 'traffic', 'checkout', 'stable=1:90', 'new=2:10']);
    expect(later.code).toBe(0);
    const { code, stderr } = await first;
    expect(code).toBe(1);
    expect(stderr).toContain(`HR_CONFLICT: revision ${revision} of endpoint "checkout" never was active`);
  });

  it('fails where --if-match is another ETag', async () => {
    const { code, stderr } = traffic('stable=1:100', '--if-match', 'r1', '--reason', 'a try');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('HR_PRECONDITION') });
    const { revision } = await registry.endpoints.get('checkout');
    expect(traffic('stable=1:100', '--if-match', `r${revision}`).code).toBe(0);
  });
});

describe('shadows', () => {
  beforeEach(() => registry.servers.leave('a'));

  it('are set beside the variants or alone, stay over a change of these, and end', () => {
    const set = (...args: string[]) => {
      const { variants, shadows } = headraceJson(project, ['endpoints', 'traffic', 'checkout', ...args]) as {
        readonly variants: readonly { readonly version: number }[];
        readonly shadows: readonly object[];
      };
      return [variants.map(({ version }) => version), shadows];
    };
    const [one, other] = [
      { version: 2, percent: 12.5 },
      { version: 1, percent: 100 },
    ];
    expect(set('stable=1:100', '--shadow', 'latest:12.5')).toEqual([[1], [one]]);
    expect(set('stable=2:100')).toEqual([[2], [one]]);
    expect(set('--shadow', '2:12.5', '--shadow', 'champion:100')).toEqual([[2], [one, other]]);
    const { stdout } = headrace(project, ['endpoints', 'show', 'checkout']);
    expect(stdout).toContain('stable=2:100, shadowed by 2:12.5 1:100');
    expect(set('--no-shadows')).toEqual([[2], []]);
  });

  it.each([
    [['--shadow', '2'], 'a shadow is written version:percent'],
    [['--shadow', '2:5', '--no-shadows'], 'say different things'],
    [[], 'name the variants, such as stable=1:100, or shadows'],
  ])('that are written wrong are wrong usage: %j', (args, told) => {
    const { code, stderr } = traffic(...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(told) });
  });

  // twin: test/property/monitoring-shadows.test.ts > are the same whichever process counted what
  fullIt(
    'are compared by a running server, and where none answers the command says so',
    async () => {
      const server = await startServe(project);
      try {
        expect(traffic('stable=1:100', '--shadow', '2:100').code).toBe(0);
        const asked = ['endpoints', 'shadows', 'checkout', '--url', server.url];
        await fetch(`${server.url}/v1/endpoints/checkout/predict`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ inputs: [{ customer: 'ada', amount: 1 }] }),
        });
        await expect
          .poll(() => headraceJson(project, asked), { timeout: 10_000, interval: 200 })
          .toMatchObject({
            scope: 'server',
            shadows: [{ version: 2, percent: 100, pairs: 1, agreement: 0, mean_abs_difference: 0.5 }],
          });
        const [head = '', line = ''] = headrace(project, asked).stdout.split('\n');
        expect(head).toMatch(
          /^VERSION +PERCENT +PAIRS +ERRORS +AGREE +DIFFERENCE +PSI +PRIMARY P99 +SHADOW P99 +DROPPED$/,
        );
        expect(line).toMatch(/^2 +100 +1 +0 +0\.0 % +0\.5 /);
        const unknown = headrace(project, ['endpoints', 'shadows', 'nothing', '--url', server.url]);
        expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('HR_UNKNOWN_ENDPOINT') });
      } finally {
        await server.stop();
      }
      const { code, stderr } = headrace(project, ['endpoints', 'shadows', 'checkout', '--url', server.url]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('HR_SERVER_UNREACHABLE') });
    },
    60_000,
  );
});
