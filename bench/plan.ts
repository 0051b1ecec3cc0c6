// `headrace plan` from the start of its process to its end, for a repository with 500 views: types checked, functions bundled,
// held against what is applied and what is in use. Beside it the TypeScript compiler alone, on the same files.

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../src/core/index.ts';
import { openRegistry } from '../src/registry/index.ts';
import { openDatabase } from '../src/storage/index.ts';
import { writeRepository } from './definitions.ts';
import { median } from './median.ts';
import type { Section } from './report.ts';

interface PlanFigures {
  readonly name: string;
  /** Seconds, medians. */
  readonly seconds: number;
  readonly floorSeconds: number;
}

const MOST_SECONDS = 3;

export async function planSection(rounds: number): Promise<Section> {
  const measured = await measurePlan(rounds);
  return {
    title: 'Plan',
    about: `\`headrace plan\` of a repository with 500 views and 50 functions in 51 files, under a model with ${VERSIONS} versions that read 100 of the views, each time from the start of its process to its end (medians): types checked, functions bundled, held against what is applied and what is in use. Beside it the TypeScript compiler alone on the same files.`,
    figures: measured.map(({ name, seconds, floorSeconds }) => ({
      name,
      value: `${seconds.toFixed(2)} s`,
      floor: `compiler: ${floorSeconds.toFixed(2)} s`,
      ratio: (seconds / floorSeconds).toFixed(2),
      mustBe: `≤ ${MOST_SECONDS} s`,
      isReached: seconds <= MOST_SECONDS,
    })),
  };
}

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const SOURCES = fileURLToPath(new URL('../src/index.ts', import.meta.url));
const VERSIONS = 20;

async function measurePlan(rounds: number): Promise<readonly PlanFigures[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-plan-'));
  const repository = join(folder, 'feature_repo');
  try {
    await mkdir(repository, { recursive: true });
    await writeFile(join(folder, 'headrace.config.ts'), CONFIG);
    await writeRepository(repository);
    await writeFile(join(repository, 'served.ts'), SERVED);
    await writeFile(join(folder, 'tsconfig.json'), tsconfig());
    await run(folder, [MAIN, 'apply'], [0]);
    await registerVersions(folder);
    const floorSeconds = await medianOf(rounds, () => run(folder, [compiler(), '-p', folder], [0]));
    const unchanged = await medianOf(rounds, () => run(folder, [MAIN, 'plan'], [0]));
    // A column of every view of every source: all get another version, and every version reads some of them.
    for (let file = 0; file < 50; file++) {
      const path = join(repository, `topic_${file}.ts`);
      await writeFile(path, (await readFile(path, 'utf8')).replaceAll(`.over('7d')`, `.over('14d')`));
    }
    const changed = await medianOf(rounds, () => run(folder, [MAIN, 'plan'], [3]));
    return [
      { name: 'nothing changes', seconds: unchanged, floorSeconds },
      { name: 'every view changes, under a live model', seconds: changed, floorSeconds },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'bench' });
`;

const SERVED = `import { featureService, model, endpoint, t } from 'headrace';
${Array.from({ length: 50 }, (_, at) => `import { view_${at}_0, view_${at}_1 } from './topic_${at}.ts';`).join('\n')}
export const served = featureService('served', [
  ${Array.from({ length: 50 }, (_, at) => `view_${at}_0, view_${at}_1`).join(',\n  ')},
]);
export const scored = model('scored', { features: served, outputs: { score: t.float32() } });
export const answered = endpoint('answered', { model: scored, unit: ['user'] });
`;

function tsconfig(): string {
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.array'],
    module: 'preserve',
    moduleResolution: 'bundler',
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [fileURLToPath(new URL('../node_modules/@types', import.meta.url))],
    paths: { headrace: [SOURCES] },
  };
  return JSON.stringify({ compilerOptions, include: ['feature_repo'] });
}

/** The compiler's script. */
function compiler(): string {
  return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
}

/** As many versions as a model may have after a while; the first gets all traffic. */
async function registerVersions(folder: string): Promise<void> {
  const database = await openDatabase(`sqlite:${join(folder, '.headrace/registry.db')}`);
  try {
    const { models } = await openRegistry(database, systemClock);
    for (let at = 0; at < VERSIONS; at++)
      await models.register({ model: 'scored', artifact: 'a'.repeat(64), signature: {}, actor: 'bench' });
  } finally {
    await database.close();
  }
}

async function medianOf(rounds: number, measure: () => Promise<number>): Promise<number> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) all.push(await measure());
  return median(all);
}

/** Seconds of a program of this Node's, which has to end with one of these codes. */
async function run(directory: string, line: readonly string[], expected: readonly number[]): Promise<number> {
  const begin = performance.now();
  const child = spawn(process.execPath, ['--conditions=headrace-source', ...line], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  if (code === null || !expected.includes(code)) throw new Error(`${line.join(' ')} ended with ${code}: ${said}`);
  return (performance.now() - begin) / 1000;
}
