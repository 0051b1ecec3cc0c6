// What every executor holds to, on AWS Batch: moto, whose jobs are processes here, each a `headrace step` of its own.

import { describe, vi } from 'vitest';
import { type BatchServer, batchVariables, findBatchServer, startBatchServer } from '../support/batch-server.ts';
import { openBatchWorld } from '../support/batch-world.ts';
import { holdToContract } from '../support/executor-contract.ts';

const python = findBatchServer('the contract of executors on AWS Batch');

describe.skipIf(python === undefined)('the executor of AWS Batch', () => {
  let server: BatchServer;
  holdToContract({
    name: 'AWS Batch’s',
    place: 'container',
    async start() {
      server = await startBatchServer(python ?? '', { slots: 4 });
      for (const [name, value] of Object.entries(batchVariables(server.endpoint))) vi.stubEnv(name, value);
      await server.define('headrace-step');
    },
    open: (options) => openBatchWorld(server, 'headrace-step', options),
    async stop() {
      vi.unstubAllEnvs();
      await server.stop();
    },
  });
});
