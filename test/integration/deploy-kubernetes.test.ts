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

/** What the validator says but that objects are what they say; '' where that is all. One that it does not know it only warns of. */
function mistakesOf(text: string): string {
  const path = join(folder, 'manifest.yaml');
  writeFileSync(path, text);
  const program = join(typeof validator === 'string' ? '' : validator.bin, 'kubernetes-validate');
  const run = spawnSync(program, ['-k', '1.37', '--strict', path], { encoding: 'utf8' });
  const said = `${run.stdout}${run.stderr}`.split('\n').filter((line) => line !== '' && !/^INFO .* passed /.test(line));
  return run.status === 0 || said.length > 0 ? said.join('\n') : `exit code ${String(run.status)}`;
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
  const files = readdirSync(join(KUBERNETES, 'base')).filter((name) => name !== 'kustomization.yaml');
  it.each(files)('%s is what it says', (name) => {
    expect(mistakesOf(deployFile(`kubernetes/base/${name}`))).toBe('');
  });

  it.skipIf(kubectl === undefined).each(OVERLAYS)('the overlay %s is what it says', (overlay) => {
    const text = kustomize(kubectl ?? '', overlay);
    expect(manifestsOf(text).length).toBeGreaterThan(6);
    expect(mistakesOf(text)).toBe('');
  });

  const servers = deployFile('kubernetes/base/servers.yaml');
  it.each([
    ['a field that there is not', servers.replace('serviceName:', 'serviceNames:')],
    ['a probe of another type', servers.replace('periodSeconds: 10', 'periodSeconds: often')],
    ['a security context with a slip', servers.replace('runAsNonRoot', 'runAsNonroot')],
    [
      'a budget of another version',
      deployFile('kubernetes/base/disruption-budget.yaml').replace('policy/v1', 'policy/v9'),
    ],
    [
      'a policy without its pods',
      deployFile('kubernetes/base/network-policy.yaml').replace('podSelector:', 'podSelectors:'),
    ],
  ])('%s is told', (_what, text) => {
    expect(mistakesOf(text)).not.toBe('');
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
