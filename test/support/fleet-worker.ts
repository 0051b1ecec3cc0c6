// A worker of the fleet as a process of its own, to be killed and stopped: serves until SIGTERM.

import { silentLogger } from '../../src/core/index.ts';
import { type BuiltInTasks, serveFleet } from '../../src/orchestrator/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import type { FleetWorkerOptions } from './fleet-world.ts';
import { openTestExecutor } from './test-executor.ts';

const options = JSON.parse(process.argv[2] ?? '') as FleetWorkerOptions; // given by fleet-world.ts
const { directory, registryUrl, slots, graceMs, leaseMs, hasProject, variables } = options;
const builtIns: BuiltInTasks = hasProject ? { predict: async (_, { item }) => ({ item, worker: process.pid }) } : {};
const drain = new AbortController();
process.on('SIGTERM', () => drain.abort());
await serveFleet({
  database: await openDatabase(registryUrl),
  openExecutor: async (driver) =>
    openTestExecutor(directory, { driver, cpus: slots, graceMs, builtIns, ...(variables && { variables }) }),
  slots,
  memoryBytes: 2 ** 36,
  hasProject,
  logger: silentLogger,
  drain: drain.signal,
  leaseMs,
  onServe: (name) => process.send?.(name),
});
process.exit(0);
