import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { CostSequencer } from './scripts/test/cost-sequencer.ts';
import { TEST_LIMIT_MS, type Tier } from './scripts/test/tiers.ts';

// `npm test` runs the quick tier, `npm run test:full` the files named `*.full.test.ts` too, with properties at full size;
// test/heavy and test/interop have commands of their own. CONTRIBUTING.md says what belongs where.
// A file of the full tier that is named on the command line runs as it would there.
const isNamed = process.argv.some((word) => word.includes('.full.test'));
// The variable is set by scripts/test/run-vitest.ts alone.
const tier = (process.env['HEADRACE_TEST_TIER'] as Tier | undefined) ?? (isNamed ? 'full' : 'quick');
const APART = ['heavy', 'interop'];
/** The smoke is interop without what is marked `full…`. */
const folder = tier === 'smoke' ? 'interop' : tier;
const isApart = APART.includes(folder);

const included = isApart ? [`test/${folder}/**/*.test.ts`] : ['test/**/*.test.ts'];
// Notebooks are no clients, and their packages are many.
const excluded = tier === 'smoke' ? ['test/interop/*notebook*'] : isApart ? [] : APART.map((one) => `test/${one}/**`);

export default defineConfig({
  test: {
    include: included,
    exclude: tier === 'quick' ? [...excluded, 'test/**/*.full.test.ts'] : excluded,
    globalSetup: 'test/support/global-setup.ts',
    setupFiles: 'test/support/each-file.ts',
    pool: 'forks',
    // One more than two cores have: a file waits for its servers and processes a quarter of its time.
    maxWorkers: 3,
    // Files share three processes, one after the other, and Node loads the sources as they are: a module is loaded once.
    isolate: isApart,
    experimental: { viteModuleRunner: false, nodeLoader: false },
    execArgv: ['--conditions=headrace-source', '--disable-warning=ExperimentalWarning'],
    sequence: { sequencer: CostSequencer },
    env: {
      HEADRACE_TEST_TIER: tier,
      // No test asks a cloud's own address for credentials.
      AWS_EC2_METADATA_DISABLED: 'true',
      // Where Node keeps compiled code by itself: the processes that tests start spend half their start on compiling.
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    },
    // Nets as well: Vitest's own is a second, which a busy machine passes by.
    expect: { poll: { timeout: 30_000, interval: 20 } },
    testTimeout: TEST_LIMIT_MS[tier],
    hookTimeout: TEST_LIMIT_MS[tier],
  },
});
