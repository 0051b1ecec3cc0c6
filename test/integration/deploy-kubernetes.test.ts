// Manifests for Kubernetes, and jobs as they are sent to it, by a validator of its schemas, and by what a server keeps to.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { killLimitMs, STORES_LIMIT_MS } from '../../src/app/stop-limits.ts';
import type { ClusterJob } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import { jobSpec } from '../../src/orchestrator/executors/kubernetes/job-spec.ts';
import { deployFile, findKustomize, KUBERNETES, kustomize, manifestsOf, OVERLAYS } from '../support/deploy-files.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';
import { fullDescribe } from '../support/tier.ts';

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

// twin: test/unit/kubernetes-pods.test.ts > a deadline is one that Kubernetes takes, however long a step may run
fullDescribe.skipIf(typeof validator === 'string')('by the schemas of Kubernetes, too', () => {
  const job: ClusterJob = {
    name: 'headrace-1',
    parts: 3,
    command: ['headrace', 'step', '--slice', 'runs/r/slices/s.json'],
    env: { HEADRACE_ARTIFACTS_URL: 's3://bucket/headrace' },
    secrets: { HEADRACE_SECRET_SHOP: { secretKeyRef: { name: 'shop', key: 'url' } } },
    cpu: 0.5,
    memoryBytes: 2 ** 30,
    timeoutMs: 60_000,
  };
  const place = { namespace: 'ml', image: 'headrace:1', run: 'r' };
  const resources = { limits: { 'example.com/gpu': '1' } };
  const containers = [
    { name: 'step', image: 'x', resources },
    { name: 'agent', image: 'y' },
  ];
  const metadata = { annotations: { team: 'ml' }, labels: { team: 'ml' } };
  const template = { metadata, spec: { serviceAccountName: 'step', nodeSelector: { disk: 'fast' }, containers } };
  const spec = jobSpec(job, place);

  it('jobs are what they say, but those that are spoiled', () => {
    const own = jobSpec({ ...job, image: 'other:2' }, { ...place, template });
    const endless = jobSpec({ ...job, timeoutMs: null }, place);
    const unknown = { ...spec, spec: { ...spec.spec, completionsMode: 'Indexed' } };
    const other = { ...spec, spec: { ...spec.spec, completions: 'three' } };
    const jobs = Object.entries({ spec, own, endless, unknown, other });
    const said = mistakesOf(Object.fromEntries(jobs.map(([name, one]) => [name, JSON.stringify(one)])));
    expect([said['spec'], said['own'], said['endless']]).toEqual([[], [], []]);
    expect(said['unknown']?.join()).toMatch(/completionsMode/);
    expect(said['other']?.join()).toMatch(/three/);
  });

  it('those of the guide are what they say', () => {
    const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/run-on-kubernetes.md'), 'utf8');
    const [, yaml = ''] = /```yaml\n# headrace\.yaml\n([^]*?)```/.exec(guide) ?? [];
    expect(yaml).toContain('kind: PodTemplate');
    const documents = yaml.split('---\n').map((document, at) => [`guide-${at}`, document]);
    for (const [name, said] of Object.entries(mistakesOf(Object.fromEntries(documents))))
      expect(said, name).toEqual([]);
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
  it.each(OVERLAYS)('%s says by a line of its own which project it serves; all else is the base’s', (overlay) => {
    const own = deployFile(`kubernetes/overlays/${overlay}/kustomization.yaml`);
    // One that is made of another has that one's.
    if (own.includes('../../base')) expect(own).toContain('- HEADRACE_PROJECT=headrace\n');
    const [map] = manifestsOf(kustomize(kubectl ?? '', overlay)).filter(({ kind }) => kind === 'ConfigMap');
    const { data } = map as unknown as { readonly data: Readonly<Record<string, string>> };
    expect(data).toMatchObject((base('settings.yaml') as { readonly data: object }).data);
  });
});

describe('servers are added', () => {
  interface Rule {
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
    const waited = (pod: string, version: number, seconds: string, rows: string) => [
      series('headrace_model_wait_seconds_total', pod, seconds, model(version)),
      series('headrace_model_rows_total', pod, rows, model(version)),
    ];
    const input_series = [
      ...waited('a', 1, '0+3x40', '0+100x40'),
      ...waited('a', 2, '0x40', '0+50x40'),
      ...waited('b', 1, '0+0.125x40', '0+100x40'),
      ...waited('quiet', 1, '7x40', '900x40'),
      ...['a', 'b', 'quiet'].map((pod) => series('headrace_workers', pod, '2x40')),
      series('nodejs_eventloop_utilization_ratio', 'a', '0.9x40'),
    ];
    const after5 = (name: string, values: Readonly<Record<string, number>>) => {
      const exp_samples = Object.entries(values).map(([pod, value]) => ({ labels: `{pod="${pod}"}`, value }));
      return { expr: queryOf(name), eval_time: '5m', exp_samples };
    };
    const promql_expr_test = [
      after5('headrace_model_wait_seconds', { a: 0.02, b: 0.00125, quiet: 0 }),
      after5('headrace_event_loop_busy_ratio', { a: 0.9 }),
    ];
    const test = { evaluation_interval: '15s', tests: [{ interval: '15s', input_series, promql_expr_test }] };
    const path = join(folder, 'autoscaling.test.yaml');
    writeFileSync(path, stringify(test));
    const run = spawnSync('promtool', ['test', 'rules', path], { encoding: 'utf8' });
    expect(run.status, run.stdout + run.stderr).toBe(0);
  });
});
