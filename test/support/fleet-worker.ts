// A worker of the fleet as a process of its own, to be killed and stopped: serves until SIGTERM.

import { join } from 'node:path';
import { silentLogger } from '../../src/core/index.ts';
import { openLocalExecutor, serveFleet } from '../../src/orchestrator/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import type { FleetWorkerOptions } from './fleet-world.ts';

const options = JSON.parse(process.argv[2] ?? '') as FleetWorkerOptions; // given by fleet-world.ts
const { directory, registryUrl, slots, graceMs, leaseMs, variables } = options;
const artifactsUrl = `file:${join(directory, 'artifacts')}`;
const drain = new AbortController();
process.on('SIGTERM', () => drain.abort());
await serveFleet({
  database: await openDatabase(registryUrl),
  openExecutor: async (driver) =>
    openLocalExecutor({
      driver,
      objects: openObjectStore(artifactsUrl),
      artifactsUrl,
      workDirectory: join(directory, 'work'),
      cacheDirectory: join(directory, 'cache'),
      environmentsDirectory: join(directory, 'environments'),
      python: 'python3',
      repository: directory,
      builtIns: {},
      cpus: slots,
      graceMs,
      ...(variables === undefined ? {} : { variables }),
    }),
  slots,
  memoryBytes: 2 ** 36,
  logger: silentLogger,
  drain: drain.signal,
  leaseMs,
  onServe: (name) => process.send?.(name),
});
process.exit(0);
