import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['headrace-source', 'node'] },
  ssr: { resolve: { conditions: ['headrace-source', 'node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
