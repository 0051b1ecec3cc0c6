// Where a step runs and what its environment holds: executor, variables, secrets, resources. A secret's value stands in no
// definition, so none is shown in a sentence either.

import type { AuthoredPipeline, AuthoredStep } from '../authoring/authored.ts';
import { findSlips } from '../authoring/call.ts';
import { RESOURCE_OPTIONS } from '../authoring/step-options.ts';
import { describeResult } from '../calling/user-value.ts';
import type { ExecutorSpec, SecretRef, StepSpec } from '../pipeline-spec.ts';
import { expectRecord } from './fields.ts';
import { readExecutor } from './read-executor.ts';
import type { Mistakes } from './mistakes.ts';
import { dataMistake, showName } from './names.ts';
import { type Report, titleOfMember } from './pipeline-members.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const OUR_VARIABLE = /^HEADRACE_(RUN_ID|STEP|STEP_INPUT|STEP_OUTPUT|ATTEMPT)$/;
const WAYS = "{ env: 'NAME' }, { file: '/path' }, { secretKeyRef: { name, key } } or { arn: 'arn:…' }";

export function compilePlace(
  pipeline: AuthoredPipeline,
  step: AuthoredStep,
  report: Report,
  mistakes: Mistakes,
): Pick<StepSpec, 'resources' | 'executor' | 'env' | 'secrets'> {
  const { executor, env, secrets } = step.options;
  const variables = (option: 'env' | 'secrets', written: unknown): readonly (readonly [string, unknown])[] => {
    if (written === undefined) return [];
    const title = `${titleOfMember(step)}: ${option}`;
    if (!expectRecord(pipeline, title, written, [2, option], mistakes, step)) return [];
    const mistake = dataMistake(written);
    if (mistake !== undefined) report(`: ${option}: ${mistake}`, [2, option]);
    else for (const name of Object.keys(written as object)) checkVariable(option, name, report);
    return mistake === undefined ? Object.entries(written as object) : [];
  };
  const plain = variables('env', env).flatMap(([name, value]) => compileVariable(name, value, report));
  const secret = variables('secrets', secrets).flatMap(([name, value]) => compileSecret(name, value, report));
  const [both] = secret.filter(([name]) => plain.some(([other]) => other === name));
  if (both !== undefined)
    report(`: ${showName(both[0])} is in env and in secrets. Take one of them out`, [2, 'secrets', both[0]]);
  const where = executor === undefined ? undefined : compileExecutor(executor, report);
  return {
    resources: compileResources(step, report),
    ...(where === undefined ? {} : { executor: where }),
    ...(plain.length === 0 ? {} : { env: Object.fromEntries(plain) }),
    ...(secret.length === 0 ? {} : { secrets: Object.fromEntries(secret) }),
  };
}

function compileResources(step: AuthoredStep, report: Report): StepSpec['resources'] {
  const at = [2, 'resources'];
  const resources = step.options.resources ?? {};
  for (const slip of findSlips(resources, RESOURCE_OPTIONS, at, 'resources')) report(`: ${slip.message}`, slip.path);
  const { cpu, memory }: { readonly cpu?: unknown; readonly memory?: unknown } = resources;
  if (cpu !== undefined && !(typeof cpu === 'number' && cpu > 0 && Number.isFinite(cpu)))
    report(`: resources.cpu must be a number above 0, got ${describeResult(cpu)}`, [...at, 'cpu']);
  if (memory !== undefined && !(typeof memory === 'string' && /^\d+(\.\d+)?\s*([KMGT]i?B?|B)?$/i.test(memory)))
    report(`: resources.memory ${showName(memory)} is no size. Write it like '4Gi' or '512Mi'`, [...at, 'memory']);
  return {
    ...(typeof cpu === 'number' ? { cpu } : {}),
    ...(typeof memory === 'string' ? { memory } : {}),
  };
}

function compileExecutor(executor: unknown, report: Report): ExecutorSpec | undefined {
  return readExecutor(executor, (message, path = []) => report(`: ${message}`, [2, 'executor', ...path]));
}

function checkVariable(option: string, name: string, report: Report): void {
  const at = [2, option, name];
  if (OUR_VARIABLE.test(name)) report(`: ${option}: ${name} is Headrace's own. Rename it`, at);
  else if (!VARIABLE.test(name))
    report(
      `: ${option}: ${showName(name)} is no variable's name: use letters (a to z, A to Z), digits and underscores, no digit first`,
      at,
    );
}

function compileVariable(name: string, value: unknown, report: Report): (readonly [string, string])[] {
  if (typeof value === 'string' && !value.includes('\0')) return [[name, value]];
  report(`: env ${showName(name)} must be text, got ${describeResult(value)}`, [2, 'env', name]);
  return [];
}

function compileSecret(name: string, value: unknown, report: Report): (readonly [string, SecretRef])[] {
  const at = [2, 'secrets', name];
  const shown = `: secret ${showName(name)}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    report(`${shown} is written out: name where it is, never itself: ${WAYS}`, at);
    return [];
  }
  const [[way, where] = ['', undefined], ...others] = Object.entries(value).filter(([, one]) => one !== undefined);
  const ref = others.length > 0 ? undefined : secretRef(way, where);
  if (ref !== undefined) return [[name, ref]];
  report(`${shown} must name the one place where it is: ${WAYS}`, at);
  return [];
}

function secretRef(way: string, where: unknown): SecretRef | undefined {
  if (way === 'secretKeyRef') {
    if (typeof where !== 'object' || where === null) return undefined;
    const { name, key, ...others } = where as Readonly<Record<string, unknown>>;
    if (!isWord(name) || !isWord(key) || Object.keys(others).length > 0) return undefined;
    return { secretKeyRef: { name, key } };
  }
  if (typeof where !== 'string' || where.trim() === '') return undefined;
  if (way === 'env') return VARIABLE.test(where) ? { env: where } : undefined;
  if (way === 'file') return { file: where };
  return way === 'arn' && /^arn:\S+$/.test(where) ? { arn: where } : undefined;
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^\S+$/.test(value);
}
