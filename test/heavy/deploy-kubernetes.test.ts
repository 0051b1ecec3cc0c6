// The manifests of deploy/kubernetes as a real API server takes them: strictly, with admission and defaults, object by object.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kustomize, manifestsOf, OVERLAYS } from '../support/deploy-files.ts';
import { kubernetesFor } from '../support/kubernetes-programs.ts';
import { type KubernetesServer, startKubernetes } from '../support/kubernetes-server.ts';

const programs = kubernetesFor('the manifests of deploy/kubernetes');

describe.skipIf(programs === undefined)('the manifests on an API server', { timeout: 300_000 }, () => {
  const program = join(programs?.bin ?? '', 'kubectl');
  let server: KubernetesServer;
  let folder: string;
  let config: string;
  beforeAll(async () => {
    if (programs === undefined) return;
    folder = mkdtempSync(join(tmpdir(), 'headrace-manifests-'));
    server = await startKubernetes(programs);
    config = server.kubeconfig(server.tokenOf('admin'));
    await server.do('POST', '/api/v1/namespaces', { metadata: { name: 'headrace' } });
  }, 300_000);
  afterAll(async () => {
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const apply = (text: string, ...words: readonly string[]) => {
    const path = join(folder, 'manifests.yaml');
    writeFileSync(path, text);
    const given = ['--kubeconfig', config, 'apply', '--server-side', '--validate=strict', '-f', path, ...words];
    const { status, stdout, stderr } = spawnSync(program, given, { encoding: 'utf8' });
    return { code: status, stdout, stderr };
  };

  it.each(OVERLAYS)('of %s are taken whole', (overlay) => {
    const text = kustomize(program, overlay);
    const { code, stdout, stderr } = apply(text, '--dry-run=server');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(manifestsOf(text).length);
  });

  it('with a field that there is not are refused', () => {
    const text = kustomize(program, 'small');
    const { code, stderr } = apply(text.replace('minReadySeconds: 10', 'minReadySecond: 10'), '--dry-run=server');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/field not declared in schema/);
  });

  it('are applied, and nothing is left to change after that', () => {
    const text = kustomize(program, 'production');
    expect(apply(text)).toMatchObject({ code: 0 });
    const path = join(folder, 'manifests.yaml');
    const told = spawnSync(program, ['--kubeconfig', config, 'diff', '--server-side', '-f', path], {
      encoding: 'utf8',
    });
    expect({ code: told.status, stdout: told.stdout }).toEqual({ code: 0, stdout: '' });
  });

  it('make pods that a namespace of restricted pods lets in', async () => {
    const [set] = manifestsOf(kustomize(program, 'production')).filter(({ kind }) => kind === 'StatefulSet');
    const { template } = (set as unknown as { spec: { template: { metadata: object; spec: { volumes: object[] } } } })
      .spec;
    const volumes = [...template.spec.volumes, { name: 'state', emptyDir: {} }];
    const pod = (spec: object) => ({ metadata: { ...template.metadata, generateName: 'headrace-' }, spec });
    const ask = (spec: object) => server.ask('POST', '/api/v1/namespaces/headrace/pods?dryRun=All', pod(spec));
    expect((await ask({ ...template.spec, volumes })).status).toBe(201);
    const open = { ...template.spec, volumes, hostNetwork: true };
    const refused = await ask(open);
    expect(refused.status).toBe(403);
    expect(JSON.stringify(refused)).toContain('PodSecurity');
  });
});
