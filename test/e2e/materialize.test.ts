// `headrace materialize` where a view fails: the others are done and shown, and what failed is told with whom it is kept for.

import { rmSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { runCommandLine } from '../../src/cli/run-cli.ts';
import { HeadraceError, silentLogger, silentProgress } from '../../src/core/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { testProject } from '../support/test-project.ts';

/** Orders that come by a file, whose view a model reads, and visits that are pushed. */
const repository = (
  column: string,
) => `import { count, csv, entity, featureService, featureView, model, pushed, sum, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });
const columns = { customer: t.string(), at: t.timestamp() };
export const orders = csv('orders', { path: '../orders.csv', columns: { ...columns, ${column}: t.int64() }, eventTime: 'at' });
export const visits = pushed('visits', { columns, eventTime: 'at' });
export const ordered = featureView('ordered', {
  entity: customer, source: orders, features: { n: sum('${column}').over('1d') },
});
export const visited = featureView('visited', {
  entity: customer, source: visits, features: { n: count().over('1d') },
});
export const features = featureService('shop_features', [ordered]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
`;

const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
const rows = (column: string, ...customers: readonly string[]) =>
  [`customer,at,${column}`, ...customers.map((name) => `${name},${hourAgo},1`), ''].join('\n');
const matching = (pattern: RegExp | string) => expect.stringMatching(pattern);

// In order.
describe('headrace materialize, of views of which one fails', () => {
  const files = {
    'feature_repo/shop.ts': repository('pieces'),
    'orders.csv': rows('pieces,boxes', 'ada').replaceAll(',1\n', ',1,1\n'),
    'half.onnx': constantModel(1, 0.5),
  };
  const project = testProject(files, 'apply', 'models register returns half.onnx');
  const materialize = (more = '') => project.run(`materialize --incremental${more}`);
  let old: string;
  beforeAll(() => {
    const { views } = project.json<{ views: { view: string; version: string }[] }>('views');
    old = views.find(({ view }) => view === 'ordered')?.version ?? '';
    project.write('feature_repo/shop.ts', repository('boxes'));
    project.json('apply --yes');
    expect(materialize().code).toBe(0);
  }, 60_000);

  it('shows the others, then why it failed, whom it is kept for and what to do', () => {
    // Without the column that the model's version is made of.
    project.write('orders.csv', rows('boxes', 'ada', 'bob'));
    const { code, stdout, stderr } = materialize();
    expect(code).toBe(1);
    for (const line of [/^ordered +finished +\d+ /m, /^visited +up-to-date +- /m, new RegExp(`^${old} +failed`, 'm')])
      expect(stdout).toMatch(line);
    expect(stderr).toMatch(/^HR_SOURCE_UNREADABLE: .*orders\.csv/m);
    const lets = 'as version 1 of model "returns" reads it (`headrace models retire returns 1` lets go).';
    expect(stderr).toContain(`${old} is kept, ${lets}`);
    expect(stderr).toContain(`Once that is mended: headrace materialize --incremental --views ${old}`);
  });

  it('says the same as JSON', () => {
    const { code, stdout } = materialize(' --json');
    const report = JSON.parse(stdout) as { views: { view: string }[]; failed: object[] };
    expect(code).toBe(1);
    expect(report.views.map(({ view }) => view).sort()).toEqual(['ordered', 'visited']);
    const error = { code: 'HR_SOURCE_UNREADABLE', message: matching('orders.csv'), details: [] };
    const keptFor = [{ kind: 'model', model: 'returns', version: 1 }];
    expect(report.failed).toEqual([{ view: old, version: old, state: 'failed', error, isRead: true, keptFor }]);
  });

  it('is no failure where nothing reads the version any more', () => {
    project.json('models retire returns 1');
    const { code, stdout, stderr } = materialize();
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(`${old} could not be`) });
    expect(stdout).toMatch(new RegExp(`^${old} +failed`, 'm'));
    const goes = `it goes by itself, or now with \`headrace views remove ${old}\``;
    expect(stderr).toContain(`nothing reads it any more: ${goes}`);
    const failed = [{ version: old, isRead: false, keptFor: [] }];
    expect(project.json('materialize --incremental')).toMatchObject({ failed });
  });

  it('fails by what goes wrong after it, where only a version failed that nothing reads', async () => {
    let [stderr, asked] = ['', 0];
    const environment = { ...readEnvironment(), workingDirectory: project.directory };
    const code = await runCommandLine(['materialize', '--incremental'], {
      environment,
      stdout: () => {},
      stderr: (text) => void (stderr += text),
      progress: () => silentProgress,
      exitCode: 0,
      async openApp(options) {
        const app = await openApp({ ...options, environment, logger: silentLogger });
        const completeness = async () => {
          if (asked++ > 0) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the registry went away');
          return app.completeness();
        };
        return { ...app, completeness };
      },
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'HR_STORAGE_UNAVAILABLE: the registry went away\n' });
  });

  it('fails where what is applied does, a dry run and a round of dev too, which tell of the others', () => {
    rmSync(project.file('orders.csv'));
    for (const more of ['', ' --dry-run']) {
      const failed = materialize(more);
      const stderr = matching(/^HR_SOURCE_UNREADABLE: .*orders\.csv/m);
      expect(failed).toMatchObject({ code: 1, stderr, stdout: matching(/^ordered +failed/m) });
      expect(failed.stdout).toMatch(/^visited +up-to-date/m);
    }
    const materialized = [{ view: 'visited', state: 'up-to-date' }];
    const round = { state: 'failed', store: 'project', error: { code: 'HR_SOURCE_UNREADABLE' }, materialized };
    expect(JSON.parse(project.run('dev --once --json').stdout)).toMatchObject(round);
  });
});
