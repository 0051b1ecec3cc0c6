// `headrace endpoints` against servers that tell the registry of themselves: what it prints, and how it exits.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type App, openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import type { PreparedTraffic, Registry } from '../../src/registry/index.ts';
import { headraceBeside } from '../support/evolving-project.ts';
import { createServingProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

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
    const first = headraceBeside(project, ['endpoints', 'traffic', 'checkout', 'stable=2:100']);
    await expect
      .poll(async () => (await registry.endpoints.get('checkout')).change?.revision, { timeout: 20_000 })
      .toBe(revision);
    const later = await headraceBeside(project, ['endpoints', 'traffic', 'checkout', 'stable=1:90', 'new=2:10']);
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
