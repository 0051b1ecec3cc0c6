// The flights example on a sample of its departures, applied, for tests that run its pipelines whole.

import { cpSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { expect } from 'vitest';
import { prepareFlights } from '../../scripts/prepare-flights.ts';
import { applyRepository, openApp, openOrchestrator, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { runPipeline } from '../../src/orchestrator/index.ts';
import { createProject } from './serving-project.ts';

export const EXAMPLE = fileURLToPath(new URL('../../feature_repo', import.meta.url));

interface ShownStep {
  readonly state: string;
  readonly result: Record<string, unknown>;
}

export type FlightsSample = Awaited<ReturnType<typeof openFlightsSample>>;

/** A spine of so many departures instead of a quarter of a million. */
export async function openFlightsSample(departures: number) {
  const project = createProject({
    'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'flights' });\n`,
  });
  const repository = project.file('feature_repo');
  const left = ['data', 'tsconfig.json'].map((name) => join(EXAMPLE, name));
  cpSync(EXAMPLE, repository, { recursive: true, filter: (path) => !left.includes(path) });
  await writeData(join(repository, 'data'), departures);
  const environment = { ...readEnvironment({ ...process.env }), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger });
  await applyRepository(app, {});
  return {
    app,
    directory: project.directory,
    /** Runs a pipeline, which must succeed; gives its steps by name. */
    async run(pipeline: string): Promise<Readonly<Record<string, ShownStep>>> {
      const made = await runPipeline(await openOrchestrator(app, {}), { pipeline });
      expect(made.state, made.error ?? '').toBe('succeeded');
      const steps = Object.fromEntries(made.steps.map(({ name, state, result }) => [name, { state, result }]));
      return steps as Record<string, ShownStep>; // every step of these pipelines gives an object or nothing
    },
    async close() {
      await app.close();
      project.remove();
    },
  };
}

async function writeData(data: string, departures: number): Promise<void> {
  mkdirSync(data, { recursive: true });
  await prepareFlights(data, Date.now() * 1000);
  renameSync(join(data, 'spine.parquet'), join(data, 'all.parquet'));
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const sample = `SELECT * FROM '${data}/all.parquet' USING SAMPLE reservoir(${departures} ROWS) REPEATABLE (7)`;
  await connection.run(`COPY (${sample}) TO '${data}/spine.parquet' (FORMAT PARQUET)`);
  connection.closeSync();
  instance.closeSync();
}
