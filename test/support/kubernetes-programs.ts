// etcd, the API server, the controllers and kubectl, built from their Go modules once and kept between runs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { freemem, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { skipBecause } from './skips.ts';

const VERSION = '1.37.2';
/** Of the modules that Kubernetes keeps in its own repository. */
const STAGING = 'v0.37.2';
const ETCD = 'v3.7.3';
const LEAST_GO = [1, 26] as const;
/** Of the linker at the API server. */
const BUILD_BYTES = 3 * 2 ** 30;
/** Of all that runs. */
const RUN_BYTES = 2 ** 30;

const PACKAGES = {
  etcd: 'go.etcd.io/etcd/server/v3',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
} as const;
const NAMES = Object.keys(PACKAGES) as (keyof typeof PACKAGES)[]; // those above

export interface KubernetesPrograms {
  /** The folder of all four. */
  readonly bin: string;
}

/** Undefined where they were not built. */
export function findKubernetes(): KubernetesPrograms | undefined {
  const bin = folder();
  return NAMES.every((name) => existsSync(join(bin, name))) ? { bin } : undefined;
}

/** Those that a suite runs on; undefined, said loudly, where there are none or memory is short. */
export function kubernetesFor(suite: string): KubernetesPrograms | undefined {
  const programs = findKubernetes();
  if (programs === undefined)
    skipBecause(
      `${suite}: there is no Kubernetes ${VERSION} here: npm run test:heavy builds it where there is Go ${LEAST_GO.join('.')}`,
    );
  else if (freemem() < RUN_BYTES) {
    skipBecause(`${suite}: Kubernetes ${VERSION} takes ${RUN_BYTES / 2 ** 30} GiB of memory, and less is free`);
    return undefined;
  }
  return programs;
}

/** Builds what is missing, each whole or not at all, in a quarter of an hour of two cores; a sentence that says why not. */
export function bringKubernetes(limitMs: number): string | undefined {
  const told = spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '';
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(told) ?? []).map(Number);
  if (major < LEAST_GO[0] || (major === LEAST_GO[0] && minor < LEAST_GO[1])) return `it needs Go ${LEAST_GO.join('.')}`;
  if (freemem() < BUILD_BYTES) return `its build takes ${BUILD_BYTES / 2 ** 30} GiB of memory, and less is free`;
  const giveUpAt = performance.now() + limitMs;
  const bin = folder();
  mkdirSync(bin, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'headrace-kubernetes-'));
  const go = (...words: readonly string[]): string | undefined => {
    const run = spawnSync('go', words, {
      cwd: scratch,
      encoding: 'utf8',
      env: { ...process.env, GOFLAGS: '-p=2' },
      timeout: Math.max(1, Math.round(giveUpAt - performance.now())),
    });
    if (run.status === 0) return undefined;
    return run.signal === null
      ? `go ${words[0]} failed: ${run.stderr.trim().slice(-500)}`
      : `its build took longer than ${limitMs / 1000} s; what is done of it is kept`;
  };
  try {
    const failure = writeModule(scratch, go);
    if (failure !== undefined) return failure;
    for (const name of NAMES.filter((one) => !existsSync(join(bin, one)))) {
      const built = join(scratch, name);
      const failed = go('build', '-mod=mod', '-trimpath', '-ldflags', '-s -w', '-o', built, PACKAGES[name]);
      if (failed !== undefined) return failed;
      renameInto(built, join(bin, name));
    }
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Kubernetes names its own parts by paths of its repository, which a module that needs it does not see. */
function writeModule(scratch: string, go: (...words: readonly string[]) => string | undefined): string | undefined {
  writeFileSync(join(scratch, 'go.mod'), 'module headrace.test/kubernetes\n');
  const failure = go('mod', 'download', `k8s.io/kubernetes@v${VERSION}`);
  if (failure !== undefined) return failure;
  const cache = spawnSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).stdout.trim();
  const own = readFileSync(join(cache, 'cache/download/k8s.io/kubernetes/@v', `v${VERSION}.mod`), 'utf8');
  const parts = [...own.matchAll(/^\s*(k8s\.io\/[\w-]+) => \.\/staging/gm)].map(([, part = '']) => part);
  writeFileSync(
    join(scratch, 'go.mod'),
    [
      'module headrace.test/kubernetes',
      'go 1.26.0',
      'godebug default=go1.26',
      `require k8s.io/kubernetes v${VERSION}`,
      `require go.etcd.io/etcd/server/v3 ${ETCD}`,
      ...parts.map((part) => `replace ${part} => ${part} ${STAGING}`),
      '',
    ].join('\n'),
  );
  return undefined;
}

/** Whole or not at all, from another file system too. */
function renameInto(from: string, to: string): void {
  const beside = `${to}-${process.pid}`;
  spawnSync('cp', [from, beside]);
  renameSync(beside, to);
}

function folder(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'headrace', `kubernetes-${VERSION}`, 'bin');
}
