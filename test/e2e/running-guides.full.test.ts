// The guides on sizing, recovery, housekeeping, changing features and definitions in CI, typed from top to bottom: their commands
// work, and print what they show.
// twin: test/unit/documented-commands.test.ts > the README and the guides

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linearModel } from '../support/onnx-model.ts';
import { runGuide, type Shown, startGuide } from '../support/run-guide.ts';
import { serveGuide } from '../support/served-guide.ts';
import { CONFIG, createProject, headraceJson, type Project } from '../support/serving-project.ts';

const LIMIT_MS = 300_000;

describe('the guide on sizing', () => {
  const sizing = serveGuide('sizing.md');

  it('asks a server for what it goes by', { timeout: LIMIT_MS }, async () => {
    const { HEADRACE_URL: url = '' } = sizing.environment();
    await fetch(`${url}/v1/endpoints/checkout/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"inputs":[{"customer":"ada","amount":1}]}',
    });
    expect(sizing.type()).toBe(1);
  });
});

describe('the guide on housekeeping', () => {
  const housekeeping = serveGuide('housekeeping.md');
  it('shows what its commands print', { timeout: LIMIT_MS }, () => {
    expect(housekeeping.type()).toBe(1);
  });
});

describe('the guide on recovery', () => {
  const recovery = serveGuide('disaster-recovery.md');

  it('brings a project back at another place, with what it read', { timeout: LIMIT_MS }, () => {
    const project = recovery.project();
    const ask = ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"ada"}]'];
    const before = headraceJson(project, ask) as { readonly rows: readonly { readonly features: object }[] };
    runGuide(recovery.path, project);
    const place = project.file('recovered');
    const recovered = {
      HEADRACE_REGISTRY_URL: `sqlite:${place}/registry.db`,
      HEADRACE_ARTIFACTS_URL: `file:${place}/artifacts`,
      HEADRACE_ONLINE_URL: `lmdb:${place}/online`,
      HEADRACE_PUSH_LOG_PATH: `${place}/push-log`,
      HEADRACE_OFFLINE_PATH: `${place}/offline`,
    };
    const after = headraceJson(project, ask, recovered) as typeof before;
    expect(after.rows[0]?.features).toEqual(before.rows[0]?.features);
    expect(before.rows[0]?.features).toMatchObject({ history__purchases_1d: 2 });
    expect(headraceJson(project, ['models', 'list'], recovered)).toEqual(headraceJson(project, ['models', 'list']));
  });
});

describe('the guides on changes', () => {
  const GUIDES = join(import.meta.dirname, '../../docs/guides');
  const event = (customer: string): string =>
    `{"customer":"${customer}","amount":1,"bought_at":"${new Date(Date.now() - 60_000).toISOString()}"}\n`;
  const shop = (): Project =>
    createProject({
      'headrace.config.ts': CONFIG,
      'events.jsonl': ['ada', 'bob'].map(event).join(''),
      'spine.csv': 'customer,at\nada,2026-01-01T00:00:00Z\n',
      'returns.onnx': linearModel(1),
    });
  const expectShown = (all: readonly Shown[], least: number): void => {
    expect(all.length).toBeGreaterThanOrEqual(least);
    for (const { command, shown, printed } of all) expect(printed, command).toBe(shown);
  };
  const projects = [shop(), shop()] as const;
  afterAll(() => projects.forEach(({ remove }) => remove()));

  it('of features under live models show what their commands print', { timeout: LIMIT_MS }, () => {
    expectShown(runGuide(join(GUIDES, 'evolving.md'), projects[0]), 3);
  });

  it('of definitions in CI show what their commands print', { timeout: LIMIT_MS }, () => {
    // The change that it plans is the first one of the other guide; no training set was made there.
    startGuide(join(GUIDES, 'evolving.md'), projects[1], [
      'headrace apply',
      'headrace push purchases events.jsonl',
      'headrace materialize --incremental',
      'headrace models register returns returns.onnx',
    ]);
    expectShown(runGuide(join(GUIDES, 'definitions-in-ci.md'), projects[1]), 3);
  });
});
