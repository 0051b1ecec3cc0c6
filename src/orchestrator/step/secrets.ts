// Secrets of a step: read where it runs, as it starts. No row, order or log has their values.

import { readFileSync } from 'node:fs';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { StepSpec } from '../../definitions/index.ts';

/** Where a secret lies. */
export type SecretRef = NonNullable<StepSpec['secrets']>[string];

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
  if ('env' in ref) {
    const value = variables[ref.env];
    if (value !== undefined) return value;
    throw missing(name, `the variable ${ref.env} is not set where the run is driven; set it there`);
  }
  if ('file' in ref) {
    try {
      return readFileSync(ref.file, 'utf8').replace(/\r?\n$/, '');
    } catch (error) {
      throw missing(name, `its file cannot be read: ${messageOf(error)}`);
    }
  }
  const [kind, where] = 'arn' in ref ? ['an arn', 'AWS'] : ['a secretKeyRef', 'Kubernetes'];
  throw missing(
    name,
    `${kind} is read by ${where} alone, and this step runs on a plain machine; name \`{ env }\` or \`{ file }\` for it, or run the step there`,
  );
}

function missing(name: string, why: string): HeadraceError {
  return new HeadraceError('HR_STEP_FAILED', `the secret ${name} of the step cannot be had: ${why}`);
}
