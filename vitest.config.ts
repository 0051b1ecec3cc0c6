import { defineConfig } from 'vitest/config';

// `npm test` runs all but test/heavy; `npm run test:heavy` runs that alone.
const isHeavy = process.env['HEADRACE_TEST_TIER'] === 'heavy';

export default defineConfig({
  resolve: { conditions: ['headrace-source', 'node'] },
  ssr: { resolve: { conditions: ['headrace-source', 'node'] } },
  test: {
    include: isHeavy ? ['test/heavy/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: isHeavy ? [] : ['test/heavy/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: isHeavy ? 1_800_000 : 30_000,
    hookTimeout: 60_000,
  },
});
