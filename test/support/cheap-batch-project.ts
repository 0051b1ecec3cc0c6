// A project whose steps run on the cheap Batch: the driver, its executor and its rows are the real ones.

import { join } from 'node:path';
import { vi } from 'vitest';
import type { BatchJobsOptions } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import type { OrchestratorDeps } from '../../src/orchestrator/index.ts';
import { batchVariables } from './batch-server.ts';
import { cheapBatchClusters } from './cheap-batch-clusters.ts';
import { type CheapBatch, type CheapBatchOptions, startCheapBatch } from './cheap-batch.ts';
import { openPipelineProject, type PipelineProject, removeProject, writeRepository } from './pipeline-project.ts';

export interface CheapBatchProject extends PipelineProject {
  readonly batch: CheapBatch;
}

/** A file of the repository. */
export function onCheapBatch(text: string): string {
  return `import { pipeline, range, shell, task } from 'headrace';
const on = (definition: string, pack = 1) => ({ kind: 'aws-batch', queue: 'queue', definition, pack }) as const;
${text}`;
}

/** `text`: the pipelines, in which `on(definition, pack?)` is where a step runs. The caller takes the variables off again. */
export async function openCheapBatchProject(
  text: string,
  {
    overrides = {},
    jobs = {},
    ...options
  }: Partial<CheapBatchOptions> & {
    readonly overrides?: Partial<OrchestratorDeps>;
    readonly jobs?: Partial<BatchJobsOptions>;
  } = {},
): Promise<CheapBatchProject> {
  const directory = writeRepository({ 'p.ts': onCheapBatch(text) });
  const artifactsUrl = `file:${join(directory, 'artifacts')}`;
  const batch = await startCheapBatch({ artifactsUrl, slots: 1000, childMs: 5, submitsPerSecond: 50, ...options });
  for (const [name, value] of Object.entries(batchVariables(batch.endpoint))) vi.stubEnv(name, value);
  const project = await openPipelineProject(directory, {
    clusters: cheapBatchClusters(artifactsUrl, jobs),
    ...overrides,
  });
  return {
    ...project,
    batch,
    async close() {
      await project.close();
      await batch.stop();
      removeProject(directory);
    },
  };
}
