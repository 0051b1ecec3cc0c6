// The example's pipeline `retrain_delay` from end to end, on a sample of its flights: a grid, an evaluation, a gate, a champion.

import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, expect, it } from 'vitest';
import { prepareFlights } from '../../scripts/prepare-flights.ts';
import { type App, applyRepository, openApp, openOrchestrator, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { runPipeline } from '../../src/orchestrator/index.ts';
import { bringPackages } from '../support/python-packages.ts';
import { createProject, type Project } from '../support/serving-project.ts';
import { skipBecause } from '../support/skips.ts';

const EXAMPLE = fileURLToPath(new URL('../../feature_repo', import.meta.url));
const requirements = join(EXAMPLE, 'requirements.txt');
const packages = bringPackages('example-training', ['-r', requirements]);
if (typeof packages === 'string') skipBecause(`the example's pipeline retrain_delay: ${packages}`);

let project: Project | undefined;
let app: App | undefined;
afterAll(async () => {
  await app?.close();
  project?.remove();
});

/** A spine of so many departures instead of a quarter of a million. */
const DEPARTURES = 20_000;

async function writeData(data: string): Promise<void> {
  mkdirSync(data, { recursive: true });
  await prepareFlights(data, Date.now() * 1000);
  renameSync(join(data, 'spine.parquet'), join(data, 'all.parquet'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const sample = `SELECT * FROM '${data}/all.parquet' USING SAMPLE reservoir(${DEPARTURES} ROWS) REPEATABLE (7)`;
  await connection.run(`COPY (${sample}) TO '${data}/spine.parquet' (FORMAT PARQUET)`);
  connection.closeSync();
  instance.closeSync();
}

it.skipIf(typeof packages === 'string')(
  'registers what beats the champion, crowns it, and leaves it be when nothing does',
  async () => {
    project = createProject({
      'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'flights' });\n`,
    });
    const repository = project.file('feature_repo');
    const left = ['data', 'tsconfig.json'].map((name) => join(EXAMPLE, name));
    cpSync(EXAMPLE, repository, { recursive: true, filter: (path) => !left.includes(path) });
    await writeData(join(repository, 'data'));
    const environment = { ...readEnvironment({ ...process.env }), workingDirectory: project.directory };
    const opened = await openApp({ environment, logger: silentLogger });
    app = opened;
    await applyRepository(opened, {});

    const run = async () => {
      const deps = await openOrchestrator(opened, {});
      const made = await runPipeline(deps, { pipeline: 'retrain_delay' });
      expect(made.state, made.error ?? '').toBe('succeeded');
      const steps = Object.fromEntries(made.steps.map(({ name, state, result }) => [name, { state, result }]));
      return steps as Record<string, { readonly state: string; readonly result: Record<string, unknown> }>;
    };
    const first = await run();
    expect(first['fits']?.result).toHaveLength(4);
    const rows = first['newest']?.result['rows'];
    expect(rows).toBeGreaterThanOrEqual(DEPARTURES / 5);
    expect(Number(first['past']?.result['rows']) + Number(rows)).toBe(DEPARTURES);
    expect(first['figures']?.result).toMatchObject({ task: 'binary', rows, better: true, against: null });
    const metrics = first['figures']?.result['metrics'] as { auc: number; log_loss: number };
    expect(metrics.auc).toBeGreaterThan(0.6);
    expect(first['register']?.result).toMatchObject({ version: 1, metrics: { auc: metrics.auc } });
    expect(first['crown']?.result).toMatchObject({ alias: 'champion', version: 1, previous: null });

    const second = await run();
    // The same rows and seed: the same model, which is no better than itself.
    expect(second['figures']?.result).toMatchObject({
      better: false,
      against: { version: 1, differences: { auc: 0 } },
    });
    expect(second['register']?.state).toBe('skipped');
    const { models } = await opened.registry();
    expect((await models.list()).find(({ name }) => name === 'delay_classifier')?.aliases).toEqual({ champion: 1 });
    const [version] = await models.versions('delay_classifier');
    expect(version?.trainingSet).toBe(first['past']?.result['id']);
  },
  600_000,
);
