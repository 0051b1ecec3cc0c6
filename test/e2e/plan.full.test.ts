// `headrace plan` as a user and a CI meet it: what it tells under a live model, in which form, with which exit code.
// twin: test/unit/cli-plan.test.ts > a plan for people
// twin: test/unit/control-plan-report.test.ts > the report of a plan
// twin: test/e2e/cli.test.ts > a change of definitions

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlanReport } from '../../src/control/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { type CommandOutput, createProject, headrace, headraceJson, type Project } from '../support/serving-project.ts';

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;
const SHOP = `import { count, endpoint, entity, featureService, featureView, model, pushed, sum, t } from 'headrace';
import { weight } from './weight.ts';

export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp() },
  derive: { weighted: [t.float64(), (row) => weight(row.amount)] },
  eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases,
  features: { total_30d: sum('weighted').over('30d'), n_30d: count().over('30d') },
});
export const features = featureService('shop_features', [history.pick('total_30d')]);
export const returns = model('returns', { features, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['customer'] });
`;
const WEIGHT = `const FACTOR = 2;
export const weight = (amount: number | null): number | null => (amount == null ? null : amount * FACTOR);
`;
const EVENTS = ['ada', 'bob'].map(
  (customer) => `{"customer":"${customer}","amount":1,"bought_at":"${new Date(Date.now() - 60_000).toISOString()}"}\n`,
);

let project: Project;
const write = (change: (shop: string) => string, weight = WEIGHT): void => {
  project.write('feature_repo/shop.ts', change(SHOP));
  project.write('feature_repo/weight.ts', weight);
};
const asItWas = (shop: string): string => shop;
const narrower = (shop: string): string => shop.replace(`sum('weighted').over('30d')`, `sum('weighted').over('14d')`);
const plan = (...args: readonly string[]): CommandOutput => headrace(project, ['plan', ...args], { FORCE_COLOR: '0' });
const planned = (): { readonly code: number | null; readonly report: PlanReport & { readonly hash: string } } => {
  const { code, stdout } = plan('--json');
  // What the command prints.
  return { code, report: JSON.parse(stdout) as PlanReport & { hash: string } };
};

beforeAll(() => {
  project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/shop.ts': SHOP,
    'feature_repo/weight.ts': WEIGHT,
    'events.jsonl': EVENTS.join(''),
    'sum.onnx': linearModel(1),
    'spine.csv': 'customer,at\nada,2026-01-01T00:00:00Z\n',
  });
  headraceJson(project, ['apply']);
  headraceJson(project, ['push', 'purchases', 'events.jsonl']);
  headraceJson(project, ['materialize', '--incremental']);
  headraceJson(project, ['models', 'register', 'returns', 'sum.onnx']);
  const set = ['--service', 'shop_features', '--spine', 'spine.csv', '--timestamp', 'at', '--name', 'march'];
  headraceJson(project, ['training-set', 'create', ...set, '--out', 'march.parquet']);
}, 120_000);
afterAll(() => project.remove());

describe('headrace plan', () => {
  it('gives 0 where nothing changes, for people and for programs', () => {
    write(asItWas);
    expect(plan()).toMatchObject({
      code: 0,
      stdout: 'Nothing to change; revision 1 is what the repository says.\n',
    });
    expect(planned()).toMatchObject({
      code: 0,
      report: { baseRevision: 1, changes: [], breaking: [], views: [], command: null, touched: [] },
    });
  });

  it('gives 2 where something changes that nobody reads', () => {
    write((shop) => shop.replace(', n_30d: count().over(', ', n_7d: count().over(').replace(`('30d') },`, `('7d') },`));
    const { code, report } = planned();
    expect(code).toBe(2);
    expect(report).toMatchObject({ breaking: [], touched: [] });
    expect(report.changes.map(({ kind, name, detail }) => [kind, name, detail])).toEqual([
      ['change', 'history', ['- feature "n_30d": count() over 30d, int64', '+ feature "n_7d": count() over 7d, int64']],
    ]);
  });

  it.each<[string, (shop: string) => string, string, string]>([
    [
      'another window',
      narrower,
      WEIGHT,
      'meaning  feature "total_30d": sum(weighted) over 30d → sum(weighted) over 14d',
    ],
    ['a constant in another module', asItWas, WEIGHT.replace('= 2', '= 3'), 'code     derived column "weighted": '],
  ])('gives 3 for %s under a live model, with what it breaks for whom and what it takes', (_, shop, weight, line) => {
    write(shop, weight);
    const { code, stdout } = plan();
    expect(code).toBe(3);
    const lines = stdout.split('\n').map((one) => one.trim());
    expect(stdout).toContain(line);
    expect(stdout).toMatch(/BREAKS +history__total_30d changes (meaning|code)\n/);
    expect(lines).toContain('model returns version 1 (it goes on getting what it was registered with)');
    expect(lines).toContain('endpoint checkout');
    expect(stdout).toMatch(/^ +training set [0-9a-f]{8} "march"$/m);
    expect(stdout).toMatch(/^ {4}history {2}[0-9a-f]{12} → [0-9a-f]{12}$/m);
    expect(stdout).toMatch(/about 2 keys in .+, by run 1/);
    expect(lines).toContain('until it is filled, service shop_features answers by the old version');
    expect(lines).toContain('the old version stays for model returns version 1');
    expect(lines).toContain('once applied: headrace materialize --incremental --views history');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('1 change, 1 breaking: apply wants --yes');
  });

  it('is not breaking without the model that reads it', () => {
    const other = createProject({
      'headrace.config.ts': CONFIG,
      'feature_repo/shop.ts': SHOP,
      'feature_repo/weight.ts': WEIGHT,
    });
    try {
      headraceJson(other, ['apply']);
      other.write('feature_repo/shop.ts', narrower(SHOP));
      expect(headrace(other, ['plan']).code).toBe(2);
      expect(headrace(other, ['apply']).code).toBe(0);
    } finally {
      other.remove();
    }
  });

  it('gives 2 and HR_USAGE for wrong usage, 1 for what fails', () => {
    expect(plan('--markdwn')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^HR_USAGE: /) });
    write((shop) => shop.replace(`sum('weighted')`, `sum('wieghted')`));
    expect(plan()).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ {2}- shop\.ts:12:30: .*"weighted"\?$/m) });
  });

  it('checks the types first, and so does apply', () => {
    write(asItWas, WEIGHT.replace('amount * FACTOR', 'String(amount)'));
    for (const command of ['plan', 'apply']) {
      const { code, stderr } = headrace(project, [command]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^HR_DEFINITION: /m);
      expect(stderr).toMatch(/^ {2}- weight\.ts:2:\d+: Type 'string' is not assignable to type 'number'/m);
    }
  });

  it('prints Markdown for a pull request', () => {
    write(narrower);
    const { code, stdout } = plan('--markdown');
    expect(code).toBe(3);
    expect(stdout).toMatch(/^## ⚠ Feature plan: 1 change, 1 breaking\n/);
    expect(stdout).toContain('| ⚠ | change | view `history` |  | 1 |  |  |');
    expect(stdout).toContain('    - `model returns version 1 (it goes on getting what it was registered with)`\n');
    write(asItWas);
    expect(plan('--markdown')).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to change') });
  });

  it('has colour for people alone', () => {
    write(narrower);
    const escape = String.fromCodePoint(27);
    expect(headrace(project, ['plan'], { FORCE_COLOR: '1' }).stdout).toContain(`${escape}[`);
    expect(headrace(project, ['plan', '--markdown'], { FORCE_COLOR: '1' }).stdout).not.toContain(escape);
  });

  it('tells of the same without a way to the online store', () => {
    write(narrower);
    const away = headrace(project, ['plan', '--json'], { HEADRACE_ONLINE_URL: 'redis://127.0.0.1:1' });
    expect(away.code).toBe(3);
    expect(JSON.parse(away.stdout)).toEqual(planned().report);
  });

  it('names what a view and a feature are called now, and wants nothing to be filled', () => {
    write((shop) =>
      shop
        .replace(`featureView('history', {`, `featureView('ledger', { renamedFrom: 'history',`)
        .replace(`.over('30d'), n_30d`, `.over('30d').renamedFrom('total_30d'), n_30d`)
        .replaceAll('total_30d:', 'total:')
        .replace(`pick('total_30d')`, `pick('total')`),
    );
    const { code, stdout } = plan();
    expect(code).toBe(2);
    expect(stdout.split('\n')).toEqual([
      '> view history → ledger',
      '    name     feature "total_30d" is called "total" now',
      '~ service shop_features',
      '    name     member "history" is called "ledger" now',
      '    name     member "ledger": total_30d is called total now',
      '',
      '2 changes, none breaking',
      '',
    ]);
  });
});

describe('headrace apply', () => {
  it('shows the plan, refuses what breaks, and takes it with --yes; going back needs no run', () => {
    write(narrower);
    const refused = headrace(project, ['apply']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('BREAKS   history__total_30d changes meaning');
    expect(refused.stderr).toMatch(
      /^HR_BREAKING_CHANGE: 1 change breaks what is in use\. `apply --yes` goes ahead\.\n$/m,
    );
    expect(headraceJson(project, ['apply', '--yes'])).toMatchObject({
      revision: 2,
      breaking: [{ name: 'history' }],
      command: 'headrace materialize --incremental --views history',
    });
    headraceJson(project, ['materialize', '--incremental', '--views', 'history']);
    write(asItWas);
    // What version 1 was registered with comes back, and its version was kept for it.
    expect(planned()).toMatchObject({
      code: 2,
      report: { breaking: [], command: null, views: [{ view: 'history', needs_run: false }] },
    });
    expect(plan().stdout).toContain('kept and complete: nothing to fill');
    headraceJson(project, ['apply']);
  }, 60_000);
});
