// What every executor holds to, on AWS Batch: moto, whose jobs are processes here, each a `headrace step` of its own.

import { describe, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { openBatchJobs } from '../../src/orchestrator/executors/aws-batch/batch-jobs.ts';
import { type BatchServer, batchVariables, findBatchServer, startBatchServer } from '../support/batch-server.ts';
import { openClusterWorld } from '../support/cluster-world.ts';
import { holdToContract } from '../support/executor-contract.ts';

const python = findBatchServer('the contract of executors on AWS Batch');
const definition = 'headrace-step';

describe.skipIf(python === undefined)('the executor of AWS Batch', () => {
  let server: BatchServer;
  holdToContract({
    name: 'AWS Batch’s',
    place: 'container',
    reads: 'arn',
    async start() {
      server = await startBatchServer(python ?? '', { slots: 4 });
      // By them the jobs find it.
      for (const [name, value] of Object.entries(batchVariables(server.endpoint))) vi.stubEnv(name, value);
      await server.define(definition);
    },
    async open(options) {
      const queue = await server.newQueue();
      const jobs = () => openBatchJobs({ queue, definition, logger: silentLogger, lookMs: 100, missingMs: 500 });
      return openClusterWorld('aws-batch', jobs, options);
    },
    async stop() {
      vi.unstubAllEnvs();
      await server.stop();
    },
  });
});
