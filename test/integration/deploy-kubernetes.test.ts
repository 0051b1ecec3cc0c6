// The manifests for Kubernetes, by a validator of its schemas and by what a server keeps to: settings that there are, times that
// suffice, metrics that it tells. What a server of Kubernetes says of them is in the heavy tier.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { killLimitMs, STORES_LIMIT_MS } from '../../src/app/stop-limits.ts';
import { deployFile, findKustomize, KUBERNETES, kustomize, manifestsOf, OVERLAYS } from '../support/deploy-files.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const validator = bringPackages('kubernetes-validate-1.37', ['kubernetes-validate==1.37.0']);
if (typeof validator === 'string') skipBecause(`the manifests for Kubernetes: ${validator}`);
const kubectl = findKustomize();
if (kubectl === undefined)
  skipBecause('the manifests for Kubernetes, put together: there is no kubectl on this machine');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the validator says of each text but that objects are what they say. One that it does not know it only warns of. */
function mistakesOf(texts: Readonly<Record<string, string>>): Readonly<Record<string, readonly string[]>> {
  const paths = Object.entries(texts).map(([name, text]) => {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(path, text);
    return path;
  });
  const program = join(typeof validator === 'string' ? '' : validator.bin, 'kubernetes-validate');
  const run = spawnSync(program, ['-k', '1.37', '--strict', ...paths], { encoding: 'utf8' });
  const said = `${run.stdout}${run.stderr}`.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    Object.keys(texts).map((name, at) => {
      const lines = said.filter((line) => line.includes(` ${paths[at]} `));
      // One that it says nothing of it has not read.
      if (lines.length === 0) return [name, [`nothing was said, exit code ${String(run.status)}: ${run.stderr}`]];
      return [name, lines.filter((line) => !/^INFO .* passed /.test(line))];
    }),
  );
}

interface Servers {
  readonly spec: {
    readonly minReadySeconds: number;
    readonly template: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [
          {
            readonly envFrom: readonly { configMapRef?: { name: string }; secretRef?: { name: string } }[];
            readonly readinessProbe: { readonly periodSeconds: number; readonly failureThreshold: number };
          },
        ];
      };
    };
  };
}
const base = (name: string): unknown => parse(deployFile(`kubernetes/base/${name}`));

describe.skipIf(typeof validator === 'string')('by the schemas of Kubernetes', () => {
  it('each file, and each overlay, is what it says', () => {
    const files = readdirSync(join(KUBERNETES, 'base')).filter((name) => name !== 'kustomization.yaml');
    expect(files.length).toBeGreaterThan(6);
    const bases = files.map((name) => [name.replace('.yaml', ''), deployFile(`kubernetes/base/${name}`)]);
    const overlays = kubectl === undefined ? [] : OVERLAYS.map((name) => [`overlay-${name}`, kustomize(kubectl, name)]);
    for (const [name, text = ''] of overlays) expect(manifestsOf(text).length, name).toBeGreaterThan(6);
    for (const [name, said] of Object.entries(mistakesOf(Object.fromEntries([...bases, ...overlays]))))
      expect(said, name).toEqual([]);
  });

  it('what is planted is told', () => {
    const planted = (name: string, from: string, to: string): string =>
      deployFile(`kubernetes/base/${name}.yaml`).replace(from, to);
    const said = mistakesOf({
      'a-field-that-there-is-not': planted('servers', 'serviceName:', 'serviceNames:'),
      'a-probe-of-another-type': planted('servers', 'periodSeconds: 10', 'periodSeconds: often'),
      'a-slip-in-a-security-context': planted('servers', 'runAsNonRoot', 'runAsNonroot'),
      'a-budget-of-another-version': planted('disruption-budget', 'policy/v1', 'policy/v9'),
      'a-policy-without-its-pods': planted('network-policy', 'podSelector:', 'podSelectors:'),
    });
    for (const [name, lines] of Object.entries(said)) {
      expect(lines.length, name).toBeGreaterThan(0);
      expect(lines.join(), name).not.toContain('nothing was said');
    }
  });
});

describe('what the manifests ask of a server', () => {
  const servers = base('servers.yaml') as Servers;
  const { spec } = servers.spec.template;
  const settings = (base('settings.yaml') as { data: Readonly<Record<string, string>> }).data;
  const drain = {
    delayMs: Number(settings['HEADRACE_SERVER_DRAIN_DELAY_MS']),
    timeoutMs: Number(settings['HEADRACE_SERVER_DRAIN_TIMEOUT_MS']),
  };
  const known = new Set(SETTINGS.map(({ key }) => environmentName(key)));
  const foreign = ['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];

  it('are settings that there are', () => {
    const secrets = deployFile('kubernetes/overlays/small/secrets.env.example').matchAll(/^(\w+)=/gm);
    const names = [...Object.keys(settings), ...Array.from(secrets, ([, name = '']) => name)];
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !known.has(name) && !foreign.includes(name))).toEqual([]);
  });

  it('are times that suffice: it is not killed before it has drained, and is out of rotation before it stops', () => {
    const graceMs = spec.terminationGracePeriodSeconds * 1000;
    expect(graceMs).toBeGreaterThan(killLimitMs(drain) + STORES_LIMIT_MS);
    const [{ readinessProbe }] = spec.containers;
    const noticedMs = readinessProbe.periodSeconds * (readinessProbe.failureThreshold + 1) * 1000;
    expect(drain.delayMs).toBeGreaterThan(noticedMs);
  });

  it.skipIf(kubectl === undefined)('come from a map and a secret that are there under that name', () => {
    const sent = manifestsOf(kustomize(kubectl ?? '', 'small'));
    const names = (kind: string) => sent.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
    const [set] = sent.filter(({ kind }) => kind === 'StatefulSet') as unknown as readonly Servers[];
    const from = set?.spec.template.spec.containers[0].envFrom ?? [];
    expect(from.flatMap(({ configMapRef }) => configMapRef?.name ?? [])).toEqual(names('ConfigMap'));
    expect(from.flatMap(({ secretRef }) => secretRef?.name ?? [])).toEqual(names('Secret'));
    // A changed secret is a rollout.
    expect(names('Secret')[0]).toMatch(/^headrace-[a-z0-9]{10}$/);
  });
});

describe.skipIf(kubectl === undefined)('an overlay', () => {
  it.each(OVERLAYS)(
    '%s says by a line of its own which project it serves, and its other settings are the base’s',
    (overlay) => {
      const own = deployFile(`kubernetes/overlays/${overlay}/kustomization.yaml`);
      // One that is made of another has that one's.
      if (own.includes('../../base')) expect(own).toContain('- HEADRACE_PROJECT=headrace\n');
      const [map] = manifestsOf(kustomize(kubectl ?? '', overlay)).filter(({ kind }) => kind === 'ConfigMap');
      const { data } = map as unknown as { readonly data: Readonly<Record<string, string>> };
      expect(data).toMatchObject((base('settings.yaml') as { readonly data: object }).data);
    },
  );
});

describe('servers are added', () => {
  interface Rule {
    readonly seriesQuery: string;
    readonly name: { readonly as: string };
    readonly metricsQuery: string;
  }
  const { rules } = parse(deployFile('kubernetes/prometheus-adapter.yaml')) as { readonly rules: readonly Rule[] };
  const autoscaler = parse(deployFile('kubernetes/overlays/production/autoscaler.yaml')) as {
    readonly spec: { readonly metrics: readonly { readonly pods: { readonly metric: { readonly name: string } } }[] };
  };

  it('by metrics that the adapter makes', () => {
    const asked = autoscaler.spec.metrics.map(({ pods }) => pods.metric.name);
    expect(asked.toSorted()).toEqual(rules.map(({ name }) => name.as).toSorted());
  });

  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  if (!hasPromtool)
    skipBecause('what servers are added by, by promtool: it is not on this machine (Debian: prometheus)');
  it.skipIf(!hasPromtool)('by what a row waits for its model, and how busy the loop is, pod by pod', () => {
    const matchers = 'namespace="headrace",pod=~"a|b|quiet"';
    const queryOf = (name: string): string =>
      (rules.find((rule) => rule.name.as === name)?.metricsQuery ?? '')
        .replaceAll('<<.GroupBy>>', 'pod')
        .replaceAll('<<.LabelMatchers>>', matchers);
    const series = (name: string, pod: string, values: string, labels = '') => ({
      series: `${name}{namespace="headrace",pod="${pod}"${labels}}`,
      values,
    });
    const model = (version: number) => `,model="returns",version="${version}"`;
    // Of a, one model makes rows wait 20 ms each and the other not at all; nobody asks quiet.
    const test = {
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: [
            series('headrace_model_wait_seconds_total', 'a', '0+3x40', model(1)),
            series('headrace_model_wait_seconds_total', 'a', '0x40', model(2)),
            series('headrace_model_rows_total', 'a', '0+100x40', model(1)),
            series('headrace_model_rows_total', 'a', '0+50x40', model(2)),
            series('headrace_model_wait_seconds_total', 'b', '0+0.125x40', model(1)),
            series('headrace_model_rows_total', 'b', '0+100x40', model(1)),
            series('headrace_model_wait_seconds_total', 'quiet', '7x40', model(1)),
            series('headrace_model_rows_total', 'quiet', '900x40', model(1)),
            ...['a', 'b', 'quiet'].map((pod) => series('headrace_workers', pod, '2x40')),
            series('nodejs_eventloop_utilization_ratio', 'a', '0.9x40'),
          ],
          promql_expr_test: [
            {
              expr: queryOf('headrace_model_wait_seconds'),
              eval_time: '5m',
              exp_samples: [
                { labels: '{pod="a"}', value: 0.02 },
                { labels: '{pod="b"}', value: 0.00125 },
                { labels: '{pod="quiet"}', value: 0 },
              ],
            },
            {
              expr: queryOf('headrace_event_loop_busy_ratio'),
              eval_time: '5m',
              exp_samples: [{ labels: '{pod="a"}', value: 0.9 }],
            },
          ],
        },
      ],
    };
    const path = join(folder, 'autoscaling.test.yaml');
    writeFileSync(path, stringify(test));
    const run = spawnSync('promtool', ['test', 'rules', path], { encoding: 'utf8' });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });
});
