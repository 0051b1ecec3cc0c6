import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// `npm test` runs all but test/heavy and test/interop; `npm run test:heavy` and `npm run test:interop` run those alone.
const tier = process.env['HEADRACE_TEST_TIER'];
const apart = ['heavy', 'interop'];
const isApart = tier !== undefined && apart.includes(tier);
const TIMEOUT_MS: Readonly<Record<string, number>> = { heavy: 1_800_000, interop: 300_000 };

export default defineConfig({
  resolve: { conditions: ['headrace-source', 'node'] },
  ssr: { resolve: { conditions: ['headrace-source', 'node'] } },
  test: {
    include: isApart ? [`test/${tier}/**/*.test.ts`] : ['test/**/*.test.ts'],
    exclude: isApart ? [] : apart.map((folder) => `test/${folder}/**`),
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
