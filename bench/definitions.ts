// Loading a feature repository: what bundling its functions and checking its types cost, for 500 views in 50 files with 50
// functions, each in a process of its own.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from './median.ts';

export interface DefinitionsFigures {
  /** Seconds, medians. `floorSeconds`: files imported and compiled, nothing bundled. */
  readonly floorSeconds: number;
  readonly loadSeconds: number;
  readonly checkSeconds: number;
}

const FILES = 50;
const VIEWS_PER_FILE = 10;

export async function measureDefinitions(rounds: number): Promise<DefinitionsFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-definitions-'));
  try {
    await writeRepository(folder);
    const seconds = { floor: [] as number[], load: [] as number[], check: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      for (const what of ['floor', 'load', 'check'] as const) seconds[what].push(await loadOnce(folder, what));
    }
    return {
      floorSeconds: median(seconds.floor),
      loadSeconds: median(seconds.load),
      checkSeconds: median(seconds.check),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function loadOnce(folder: string, what: string): Promise<number> {
  const script = fileURLToPath(new URL('load-once.ts', import.meta.url));
  const args = ['--conditions=headrace-source', script, folder, what];
  return Number((await promisify(execFile)(process.execPath, args)).stdout);
}

/** 500 views in 50 files, half of them with a derived column, half with an on-demand view. */
export async function writeRepository(folder: string): Promise<void> {
  await mkdir(join(folder, 'lib'), { recursive: true });
  await writeFile(join(folder, 'entities.ts'), ENTITIES);
  await writeFile(join(folder, 'lib/rules.ts'), rules());
  for (let file = 0; file < FILES; file++) await writeFile(join(folder, `topic_${file}.ts`), topic(file));
}

const ENTITIES = `import { entity, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
`;

function rules(): string {
  const all = Array.from(
    { length: FILES },
    (_, at) => `export function rule_${at}(x: number | null, by: number = ${at}): number | null {
  return x == null ? null : late(x) ? x + by : x - by;
}`,
  );
  return `export const LIMIT = 15;\nexport const late = (x: number): boolean => x > LIMIT;\n${all.join('\n')}\n`;
}

// A derived column in every other file, an on-demand view in the rest.
function topic(at: number): string {
  const views = Array.from({ length: VIEWS_PER_FILE }, (_, view) => viewText(at, view));
  const derive = at % 2 === 0 ? '' : `\n  derive: { late: [t.float64(), (row) => rule_${at}(row.a)] },`;
  const onDemand = at % 2 === 0 ? onDemandText(at) : '';
  const imported = [
    'count',
    'featureView',
    'latest',
    'mean',
    ...(at % 2 === 0 ? ['onDemandView'] : []),
    'parquet',
    't',
  ];
  return `import { ${imported.join(', ')} } from 'headrace';
import { user } from './entities.ts';
import { rule_${at} } from './lib/rules.ts';

export const source_${at} = parquet('source_${at}', {
  path: 'data/x_${at}/*.parquet',
  columns: { user: t.string(), a: t.float64(), b: t.float64(), at: t.timestamp() },${derive}
  eventTime: 'at',
});
${views.join('')}${onDemand}`;
}

function viewText(at: number, view: number): string {
  return `
export const view_${at}_${view} = featureView('view_${at}_${view}', {
  entity: user,
  source: source_${at},
  features: { last: latest('a'), n_1d: count().over('1d'), mean_7d: mean('b').over('7d') },
  description: 'View ${view} of topic ${at}',
});
`;
}

function onDemandText(at: number): string {
  return `
export const on_demand_${at} = onDemandView('on_demand_${at}', {
  inputs: { request: { amount: t.float64() }, past: view_${at}_0 },
  features: { ratio: t.float64() },
  transform: ({ request, past }) => ({
    ratio: request.amount != null && past.mean_7d ? (rule_${at}(request.amount) ?? 0) / past.mean_7d : null,
  }),
});
`;
}
