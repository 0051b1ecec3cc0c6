// Jobs as they are sent to Kubernetes, and the objects of the guide, by a validator of its schemas: no field that it does not know,
// none of the wrong type. What a server of it says of them is in the heavy tier.
// twin: test/unit/kubernetes-pods.test.ts > a deadline is one that Kubernetes takes

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterJob } from '../../src/orchestrator/executors/cluster/cluster-jobs.ts';
import { jobSpec } from '../../src/orchestrator/executors/kubernetes/job-spec.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/run-on-kubernetes.md');
const validator = bringPackages('kubernetes-validate-1.37', ['kubernetes-validate==1.37.0']);
if (typeof validator === 'string') skipBecause(`specs of Kubernetes: ${validator}`);

describe.skipIf(typeof validator === 'string')('by the schemas of Kubernetes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-specs-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What it says against it; '' where it says nothing. */
  const mistakesOf = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    const program = join(typeof validator === 'string' ? '' : validator.bin, 'kubernetes-validate');
    const run = spawnSync(program, ['-k', '1.37', '--strict', '--quiet', path], { encoding: 'utf8' });
    return run.status === 0 ? '' : run.stdout + run.stderr;
  };
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
  const template = {
    metadata: { annotations: { team: 'ml' }, labels: { team: 'ml' } },
    spec: {
      serviceAccountName: 'step',
      nodeSelector: { disk: 'fast' },
      containers: [
        { name: 'step', image: 'x', resources: { limits: { 'example.com/gpu': '1' } } },
        { name: 'agent', image: 'y' },
      ],
    },
  };

  it.each([
    { what: 'a job', spec: jobSpec(job, place) },
    {
      what: 'one by a template, with an image of its own',
      spec: jobSpec({ ...job, image: 'other:2' }, { ...place, template }),
    },
    { what: 'one without a deadline', spec: jobSpec({ ...job, timeoutMs: null }, place) },
  ])('$what is one', ({ spec }) => {
    expect(mistakesOf('job.json', JSON.stringify(spec))).toBe('');
  });

  it('a field that is none, or is of another type, is told', () => {
    const spec = jobSpec(job, place);
    const none = { ...spec, spec: { ...spec.spec, completionsMode: 'Indexed' } };
    const other = { ...spec, spec: { ...spec.spec, completions: 'three' } };
    expect(mistakesOf('none.json', JSON.stringify(none))).toMatch(/completionsMode/);
    expect(mistakesOf('other.json', JSON.stringify(other))).toMatch(/three/);
  });

  it('those of the guide are what they say', () => {
    const [, yaml = ''] = /```yaml\n# headrace\.yaml\n([^]*?)```/.exec(readFileSync(GUIDE, 'utf8')) ?? [];
    expect(yaml).toContain('kind: PodTemplate');
    for (const [at, document] of yaml.split('---\n').entries())
      expect(mistakesOf(`guide-${at}.yaml`, document), document).toBe('');
  });
});
