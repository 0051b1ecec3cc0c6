import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// `npm test` runs all but test/heavy and test/interop; `npm run test:heavy` and `npm run test:interop` run those alone.
const tier = process.env['HEADRACE_TEST_TIER'];
const apart = ['heavy', 'interop'];
const isApart = tier !== undefined && apart.includes(tier);
const TIMEOUT_MS: Readonly<Record<string, number>> = { heavy: 1_800_000, interop: 300_000 };

/**
 * Files that wait most of their time: for a client's limit, a lease, a rollout's hold. They run before the others, more of them
 * at a time than there are cores, and hold up even on a machine that has much else to do; those that measure under load, such as
 * metrics-survive, do not and are none of them.
 */
const WAITING = [
  'test/contract/lease.test.ts',
  'test/contract/rollouts.test.ts',
  'test/e2e/rollout.test.ts',
  'test/integration/redis-cluster.test.ts',
  'test/integration/redis-replicas.test.ts',
  'test/integration/serving-connections.test.ts',
  'test/integration/serving-limits.test.ts',
];
/**
 * Unit tests share a process, one file after the other: a new one for each costs them more than the tests do. These have one of
 * their own: their support keeps a database for the process and closes it with the file (experiment-…), or they hold models and
 * processes to limits of time that what ran before would move (models-…).
 */
const OF_THEIR_OWN = ['experiment-html', 'experiment-report', 'models-*'];
const SHARING = `test/unit/!(${OF_THEIR_OWN.join('|')}).test.ts`;
// A project's own lists come beside those of the whole, so the whole has none.
const quickTier = [
  { extends: true as const, test: { name: 'waiting', include: WAITING, maxWorkers: 4, sequence: { groupOrder: 0 } } },
  {
    extends: true as const,
    test: {
      name: 'others',
      include: ['test/**/*.test.ts'],
      exclude: [...apart.map((folder) => `test/${folder}/**`), ...WAITING, SHARING],
      sequence: { groupOrder: 1 },
    },
  },
  { extends: true as const, test: { name: 'unit', include: [SHARING], isolate: false, sequence: { groupOrder: 1 } } },
];

export default defineConfig({
  resolve: { conditions: ['headrace-source', 'node'] },
  ssr: { resolve: { conditions: ['headrace-source', 'node'] } },
  test: {
    ...(isApart ? { include: [`test/${tier}/**/*.test.ts`], exclude: [] } : { projects: quickTier }),
    globalSetup: 'test/support/run-folder.ts',
    pool: 'forks',
    maxWorkers: 2,
    env: {
      // No test asks a cloud's own address for credentials.
      AWS_EC2_METADATA_DISABLED: 'true',
      // Where Node keeps compiled code by itself: the processes that tests start spend half their start on compiling.
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    },
    testTimeout: TIMEOUT_MS[tier ?? ''] ?? 30_000,
    hookTimeout: 60_000,
  },
});
