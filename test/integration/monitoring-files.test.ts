// The dashboard, the alert rules and the table of metrics, held against what a server really tells, and the rules against
// Prometheus' own tool.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

type Panel = { id: number; type: string; title: string; targets?: readonly { readonly expr: string }[] };
type Rule = Record<'alert' | 'expr', string>;
const dashboard = JSON.parse(read('docs/monitoring/grafana-dashboard.json')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly definition?: string }[] };
};
const rules = (parse(read('docs/monitoring/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
];

const METRIC = /\b(?:headrace|nodejs|process|v8js)_[a-z0-9_]+/g;

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const checks = 'checks of alert rules, dashboard and metrics by promtool';
if (!hasPromtool) skipBecause(`${checks}: it is not on this machine (Debian: prometheus)`);

/** Its exit code and what it says. */
function promtool(args: readonly string[], input = ''): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

describe('what is watched', () => {
  let open: OpenServing;
  let scrape = '';
  /** By name: the labels that its series have; null where it has none yet. */
  const series = new Map<string, ReadonlySet<string> | null>();

  beforeAll(async () => {
    open = await openServing({ repository: REPOSITORY, features: 4 });
    const inputs = [{ customer: 'ada', amount: 1 }];
    await open.post('/v1/endpoints/checkout/predict', { inputs });
    await open.post('/v1/endpoints/checkout/predict', { inputs: [{ customer: 7 }] });
    await open.post('/v1/features/read', { service: 'numbers', rows: inputs });
    const bought = new Date(Date.now() - 60_000).toISOString();
    const rows = [{ customer: 'ada', amount: 20, points: 3, bought_at: bought }];
    await open.post('/v1/sources/purchases/push', { rows });
    // On a machine that is busy the registry's part may not come within the second that a scrape waits for it.
    for (let tries = 0; tries < 20 && !scrape.includes('headrace_schedulers'); tries++)
      scrape = (await open.serving.server.inject('/metrics')).body;
    for (const [, name = '', kind] of scrape.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      for (const end of kind === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) series.set(`${name}${end}`, null);
    }
    for (const [, name = '', labels = ''] of scrape.matchAll(/^([a-z0-9_]+)(?:\{(.*)\})? \S+$/gm))
      series.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map(([, label]) => label as string)));
  });
  afterAll(() => open.close());

  it('by the dashboard and the rules is what a server tells, by labels that it has', () => {
    expect(expressions.length).toBeGreaterThan(40);
    for (const { where, expr } of expressions) {
      const names = expr.match(METRIC) ?? [];
      expect(names.length, where).toBeGreaterThan(0);
      for (const name of names) expect([...series.keys()], `${where}: ${expr}`).toContain(name);
      const known = new Set(names.flatMap((name) => [...(series.get(name) ?? [])]));
      const hasAll = names.every((name) => series.get(name) !== null);
      const matched = [...expr.matchAll(/(\w+)(?:=~|!=|!~|=)"/g)].map(([, label]) => label as string);
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => (list as string).split(/,\s*/));
      for (const label of [...matched, ...grouped])
        if (hasAll && label !== 'instance') expect([...known], `${where}: ${expr}`).toContain(label);
    }
    for (const { definition } of dashboard.templating.list)
      for (const name of definition?.match(METRIC) ?? []) expect([...series.keys()]).toContain(name);
  });

  it('in panels that are all there: each with an id of its own, a title and something to show', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { type, title, targets } of dashboard.panels) {
      expect(title).not.toBe('');
      if (type !== 'row') expect(targets?.length, title).toBeGreaterThan(0);
    }
  });

  it('is in the table of metrics, and nothing else is', () => {
    const guide = read('docs/guides/monitoring.md');
    const table = new Set([...guide.matchAll(/`((?:headrace|nodejs|process|v8js)_\w+)`/g)].map(([, name]) => name));
    const told = [...scrape.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name as string);
    expect([...new Set(told)].filter((name) => !table.has(name))).toEqual([]);
    expect([...table].filter((name) => !told.includes(name as string))).toEqual([]);
  });

  it.skipIf(!hasPromtool)(
    'by rules that are right, and that fire when they should and not when they should not',
    () => {
      expect(promtool(['check', 'rules', join(root, 'docs/monitoring/alerts.yaml')])).toMatchObject({ status: 0 });
      expect(promtool(['test', 'rules', join(root, 'docs/monitoring/alerts.test.yaml')])).toMatchObject({ status: 0 });
    },
  );

  it.skipIf(!hasPromtool)('by panels whose expressions are PromQL', () => {
    const asked = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    const named = asked.map((expr, at) => ({
      record: `panel:${at}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$endpoint', '.*'),
    }));
    const directory = mkdtempSync(join(tmpdir(), 'headrace-panels-'));
    const file = join(directory, 'panels.yaml');
    writeFileSync(file, stringify({ groups: [{ name: 'panels', rules: named }] }));
    expect(promtool(['check', 'rules', '--lint=none', file])).toMatchObject({ status: 0 });
    rmSync(directory, { recursive: true });
  });

  it.skipIf(!hasPromtool)('in a text that Prometheus reads', () => {
    // Which labels and names are usual is its lint's; a text that it can't read is an error.
    expect(promtool(['check', 'metrics'], scrape).said).not.toMatch(/error while linting|parse/i);
  });
});
