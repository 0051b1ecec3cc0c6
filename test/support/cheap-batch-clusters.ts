// Clusters of a project, which are the cheap Batch alone. Run as a program it drives a run on it, to be killed by a test.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { silentLogger } from '../../src/core/index.ts';
import { type BatchJobsOptions, openBatchJobs } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import { openClusterExecutor, type OrchestratorDeps, runPipeline } from '../../src/orchestrator/index.ts';
import { openObjectStore } from '../../src/storage/index.ts';
import { openPipelineProject } from './pipeline-project.ts';

export function cheapBatchClusters(
  artifactsUrl: string,
  jobs: Partial<BatchJobsOptions> = {},
): OrchestratorDeps['clusters'] {
  return {
    check: () => {},
    async open(spec, run, driver) {
      if (spec.kind !== 'aws-batch') throw new Error('this project has AWS Batch alone');
      const { queue, definition, pack = 1 } = spec;
      return openClusterExecutor({
        kind: 'aws-batch',
        jobs: openBatchJobs({ queue, definition, logger: silentLogger, ...jobs }),
        objects: openObjectStore(artifactsUrl),
        run,
        driver,
        pack,
        logger: silentLogger,
        env: { HEADRACE_ARTIFACTS_URL: artifactsUrl },
      });
    },
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , directory = '', pipeline = ''] = process.argv;
  const clusters = cheapBatchClusters(`file:${join(directory, 'artifacts')}`, { lookMs: 50 });
  const { deps } = await openPipelineProject(directory, { clusters });
  await runPipeline(deps, { pipeline });
}
