// Executors of clusters, as the project's settings have them: what its containers are told of where artifacts lie.

import { HeadraceError } from '../core/index.ts';
import type { ClusterSpec } from '../definitions/index.ts';
import type { Executor, OrchestratorDeps } from '../orchestrator/index.ts';
import type { App } from './open-app.ts';

/** Where S3 is, which is no secret: the keys to it are the pods' own, by their role or by their template. */
const TOLD = ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_S3'];
/** A container's own folder, which any user may write. */
const WORK = '/tmp/headrace';

export function openClusters(app: App): OrchestratorDeps['clusters'] {
  const url = app.config.values['artifacts.url'];
  const check = ({ kind }: ClusterSpec): void => {
    if (!url.startsWith('file:')) return;
    const sentence = `artifacts.url is ${url}, a folder of this machine, which containers of ${kind === 'kubernetes' ? 'Kubernetes' : 'AWS Batch'} do not see; set it to s3://bucket/prefix, or let the step run on 'local'`;
    throw new HeadraceError('HR_CONFIG', sentence);
  };
  return {
    check,
    async open(spec, run, driver): Promise<Executor> {
      check(spec);
      const { openClusterExecutor } = await import('../orchestrator/index.ts');
      const { variables } = app.environment;
      const told = TOLD.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]]));
      return openClusterExecutor({
        kind: spec.kind,
        jobs: await openJobs(app, spec, run),
        objects: await app.objects(),
        run,
        driver,
        pack: spec.pack ?? 1,
        logger: app.logger,
        env: { ...Object.fromEntries(told), HEADRACE_ARTIFACTS_URL: url, HEADRACE_OFFLINE_PATH: WORK },
      });
    },
  };
}

async function openJobs(app: App, spec: ClusterSpec, run: string) {
  const { openBatchJobs, openKubernetesJobs } = await import('../orchestrator/index.ts');
  if (spec.kind === 'aws-batch')
    return openBatchJobs({ queue: spec.queue, definition: spec.definition, logger: app.logger });
  const { namespace, image, template } = spec;
  return openKubernetesJobs({
    namespace,
    image,
    run,
    logger: app.logger,
    ...(template === undefined ? {} : { template }),
  });
}
