// What lies under `deploy/`, as tests look at it.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findKubernetes } from './kubernetes-programs.ts';

export const DEPLOY = join(import.meta.dirname, '../../deploy');
export const KUBERNETES = join(DEPLOY, 'kubernetes');
export const OVERLAYS = readdirSync(join(KUBERNETES, 'overlays'));

export const deployFile = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8');

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

/** The objects of a YAML text. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest); // Kubernetes' validators look at the rest.
}

/** A kubectl that has kustomize; undefined where there is none. */
export function findKustomize(): string | undefined {
  const built = findKubernetes();
  return [...(built === undefined ? [] : [join(built.bin, 'kubectl')]), 'kubectl'].find(
    (program) => spawnSync(program, ['kustomize', '--help']).status === 0,
  );
}

/** What `kubectl apply -k` would send, secrets as in their examples. */
export function kustomize(kubectl: string, overlay: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-kustomize-'));
  try {
    cpSync(KUBERNETES, folder, { recursive: true });
    const own = join(folder, 'overlays', overlay);
    for (const name of readdirSync(own).filter((file) => file.endsWith('.example')))
      writeFileSync(join(own, name.replace('.example', '')), readFileSync(join(own, name)));
    const { status, stdout, stderr } = spawnSync(kubectl, ['kustomize', own], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`kustomize of ${overlay}: ${stderr}`);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
