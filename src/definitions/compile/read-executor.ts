// Where tasks run, as a step or the configuration says it.

import { findSlips, type OptionNames } from '../authoring/call.ts';
import type { BatchOptions, KubernetesOptions } from '../authoring/step-options.ts';
import { describeResult } from '../calling/user-value.ts';
import type { ExecutorSpec } from '../pipeline-spec.ts';

const KUBERNETES: OptionNames<KubernetesOptions> = {
  kind: true,
  namespace: true,
  image: true,
  pack: true,
  template: true,
};
const BATCH: OptionNames<BatchOptions> = { kind: true, queue: true, definition: true, pack: true };
const MOST_PACK = 10_000;

/** Undefined where it is none; each mistake is reported, with the member that it is about. */
export function readExecutor(
  executor: unknown,
  report: (message: string, path?: readonly string[]) => void,
): ExecutorSpec | undefined {
  if (executor === 'local' || executor === 'fleet') return executor;
  const kind = typeof executor === 'object' && executor !== null && 'kind' in executor ? executor.kind : undefined;
  if (kind !== 'kubernetes' && kind !== 'aws-batch') {
    report(
      `executor must be 'local', 'fleet', { kind: 'kubernetes', namespace, image } or { kind: 'aws-batch', queue, definition }, got ${describeResult(kind ?? executor)}`,
    );
    return undefined;
  }
  const names = kind === 'kubernetes' ? KUBERNETES : BATCH;
  for (const slip of findSlips(executor, names, [], 'executor')) report(slip.message, slip.path.map(String));
  // The kind was looked at.
  const members = executor as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const value = members[name];
    if (typeof value === 'string' && /^\S+$/.test(value)) return value;
    report(`executor.${name} must be text without spaces, got ${describeResult(value)}`, [name]);
    return '';
  };
  const { pack } = members;
  const isPack = typeof pack === 'number' && Number.isInteger(pack) && pack >= 1 && pack <= MOST_PACK;
  if (pack !== undefined && !isPack)
    report(`executor.pack must be a whole number from 1 to ${MOST_PACK}, got ${describeResult(pack)}`, ['pack']);
  // Left out where it changes nothing, as it was before there was one.
  const packed = isPack && pack !== 1 ? { pack } : {};
  if (kind === 'aws-batch') return { kind, queue: text('queue'), definition: text('definition'), ...packed };
  const template = members['template'] === undefined ? {} : { template: text('template') };
  return { kind, namespace: text('namespace'), image: text('image'), ...packed, ...template };
}
