// Secrets of a step: read where it runs, as it starts. No row, order or log has their values.

import { readFileSync } from 'node:fs';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { StepSpec } from '../../definitions/index.ts';

/** Where a secret lies. */
export type SecretRef = NonNullable<StepSpec['secrets']>[string];

export type ClusterKind = 'kubernetes' | 'aws-batch';

/** Set in the containers of a cluster, to its kind. */
export const CLUSTER_VARIABLE = 'HEADRACE_CLUSTER';

/** The variable of a container in which its cluster puts a secret that it reads itself. */
export function secretVariable(name: string): string {
  return `HEADRACE_SECRET_${name}`;
}

const CLUSTERS: Readonly<Record<string, { readonly name: string; readonly way: string; readonly own: string }>> = {
  kubernetes: { name: 'Kubernetes', way: '{ secretKeyRef: { name, key } }', own: 'its pod' },
  'aws-batch': { name: 'AWS Batch', way: "{ arn: 'arn:…' }", own: 'its job definition' },
};

/**
 * The values by the variable that holds them while the step runs. A file's last line end is no part of it.
 * Throws HR_STEP_FAILED for one that is not there, or that this machine has no way to read.
 */
export function readSecrets(
  secrets: Readonly<Record<string, SecretRef>>,
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(secrets).map(([name, ref]) => [name, readSecret(name, ref, variables)]));
}

function readSecret(name: string, ref: SecretRef, variables: Readonly<Record<string, string | undefined>>): string {
  const cluster = CLUSTERS[variables[CLUSTER_VARIABLE] ?? ''];
  // A container has neither the driver's variables nor its files.
  const here =
    cluster === undefined
      ? ''
      : `, and this step runs in a container of ${cluster.name}; name \`${cluster.way}\` for it, or set it in ${cluster.own}`;
  if ('env' in ref) {
    const value = variables[ref.env];
    if (value !== undefined) return value;
    if (here !== '') throw missing(name, `the variable ${ref.env} is not set there${here}`);
    throw missing(name, `the variable ${ref.env} is not set where the run is driven; set it there`);
  }
  if ('file' in ref) {
    try {
      return readFileSync(ref.file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw missing(name, `its file cannot be read: ${messageOf(error)}${here}`);
    }
  }
  const value = variables[secretVariable(name)];
  if (value !== undefined) return value;
  const [kind, where] = 'arn' in ref ? ['an arn', 'AWS'] : ['a secretKeyRef', 'Kubernetes'];
  throw missing(
    name,
    here === ''
      ? `${kind} is read by ${where} alone, and this step runs on a plain machine; name \`{ env }\` or \`{ file }\` for it, or run the step there`
      : `${kind} is read by ${where} alone${here}`,
  );
}

function missing(name: string, why: string): HeadraceError {
  return new HeadraceError('HR_STEP_FAILED', `the secret ${name} of the step cannot be had: ${why}`);
}
