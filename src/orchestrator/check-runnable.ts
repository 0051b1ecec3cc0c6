// What a pipeline may say by its definition, and can not be done: refused before anything runs, never left out in silence.

import { HeadraceError } from '../core/index.ts';
import type { PipelineSpec, StepSpec } from '../definitions/index.ts';
import { placeOf } from './driver/open-executors.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';

/** Throws HR_INVALID that names each step and what of it; HR_CONFIG for a cluster that would not find the artifacts. */
export function checkRunnable(
  { name, steps }: PipelineSpec,
  deps: Partial<Pick<OrchestratorDeps, 'executor' | 'clusters'>> = {},
): void {
  const found = steps.flatMap((step) => mistakesOf(step, deps.executor ?? 'local'));
  if (found.length > 0)
    throw new HeadraceError('HR_INVALID', `pipeline "${name}" can not be run: ${found.join('; ')}.`);
  for (const step of steps) {
    const place = placeOf(step, deps.executor ?? 'local');
    if (typeof place === 'object') deps.clusters?.check(place);
  }
}

/** Of a container: what is there once it is gone. */
function isOutside(out: string | undefined): boolean {
  return out !== undefined && /^(\/|s3:\/\/)/i.test(out);
}

function mistakesOf(step: StepSpec, configured: OrchestratorDeps['executor']): readonly string[] {
  const { name, action, secrets = {} } = step;
  const place = placeOf(step, configured);
  const kind = typeof place === 'object' ? place.kind : place;
  const refs = Object.entries(secrets);
  const foreign = refs.find(([, ref]) =>
    kind === 'kubernetes' ? 'arn' in ref : kind === 'aws-batch' && 'secretKeyRef' in ref,
  );
  return [
    ...(kind === 'aws-batch' && action.kind === 'container'
      ? [
          `step "${name}" brings the image ${action.image}, and a job of AWS Batch has that of its definition: make it a shell step with a job definition of that image`,
        ]
      : []),
    ...(kind === 'kubernetes' && action.kind === 'container' && action.command.length === 0
      ? [
          `step "${name}" gives no command for the image ${action.image}, and its own is not known in a pod: write \`command\``,
        ]
      : []),
    ...(typeof place === 'object' && action.kind === 'predict' && !isOutside(action.out)
      ? [
          `step "${name}" would leave its predictions in a folder of its container, which ends with it: name out: 's3://…', or the absolute path of a volume that its containers share`,
        ]
      : []),
    ...(foreign === undefined
      ? []
      : [
          `step "${name}" has the secret ${foreign[0]} at ${kind === 'kubernetes' ? 'an arn, which AWS Batch alone reads: name { secretKeyRef }' : 'a secretKeyRef, which Kubernetes alone reads: name { arn }'}`,
        ]),
  ];
}
