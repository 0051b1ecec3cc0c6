// The project of the tests with several machines: sales by shop and one by one, from a source that keeps its pushes and
// from one whose files get the same events later. A record for each sale tells how often that very sale is counted.

import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { applyRepository, openApp } from '../../src/app/index.ts';
import {
  type EncodedKey,
  encodeKey,
  formatTimestamp,
  type Micros,
  MICROS_PER_HOUR,
  silentLogger,
} from '../../src/core/index.ts';
import { resolveService } from '../../src/definitions/index.ts';
import { createFeatureReader } from '../../src/online/index.ts';
import { fields, TYPES, writeParquet } from './offline-world.ts';
import { createProject, type Project } from './serving-project.ts';

export const SOURCES = ['kept', 'nightly'] as const;
export type SourceName = (typeof SOURCES)[number];
export const SHOPS: readonly string[] = ['amber', 'birch', 'cedar', 'dune'];

export interface Sale {
  readonly sale: string;
  readonly shop: string;
  readonly amount: number;
  readonly at: Micros;
}

export interface ShopCounts {
  readonly count: number;
  readonly sum: number;
  readonly last: number | null;
}

export type SalesProject = Awaited<ReturnType<typeof openSalesProject>>;

const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'sales' });
`;

const REPOSITORY = `import { count, entity, featureService, featureView, latest, parquet, sum, t } from 'headrace';

const columns = { sale: t.string(), shop: t.string(), amount: t.int64(), at: t.timestamp() };
export const shop = entity('shop', { keys: { shop: t.string() } });
export const sale = entity('sale', { keys: { sale: t.string() } });
export const kept = parquet('kept', { path: '../data/kept-*.parquet', columns, eventTime: 'at', pushes: 'keep' });
export const nightly = parquet('nightly', { path: '../data/nightly-*.parquet', columns, eventTime: 'at' });
const shops = (name, source) => featureView(name, { entity: shop, source, features: {
  count: count().over('4000d'), sum: sum('amount').over('4000d'), last: latest('amount'),
} });
const sales = (name, source) => featureView(name, { entity: sale, source, features: { count: count().over('4000d') } });
export const kept_shops = shops('kept_shops', kept);
export const kept_singles = sales('kept_singles', kept);
export const nightly_shops = shops('nightly_shops', nightly);
export const nightly_singles = sales('nightly_singles', nightly);
export const kept_by_shop = featureService('kept_by_shop', [kept_shops]);
export const kept_by_sale = featureService('kept_by_sale', [kept_singles]);
export const nightly_by_shop = featureService('nightly_by_shop', [nightly_shops]);
export const nightly_by_sale = featureService('nightly_by_sale', [nightly_singles]);
`;

const STRING = TYPES.string;
const COLUMNS = fields({ sale: STRING, shop: STRING, amount: TYPES.int64, at: TYPES.timestamp });
/** Sales in one read. */
const TOGETHER = 500;

/** `variables`: the settings that all machines share. They are given relative to nothing: paths are absolute. */
export async function openSalesProject(project: Project, variables: Readonly<Record<string, string>>) {
  const environment = { variables, workingDirectory: project.directory, actor: 'test' };
  const app = await openApp({ environment, logger: silentLogger });
  await applyRepository(app, {});
  const { manifest } = await app.applied();
  const duckdb = await app.duckdb();
  const connection = await duckdb.connect();
  const readers = new Map<string, ReturnType<typeof createFeatureReader>>();

  const read = async (service: string, keys: readonly string[]) => {
    const [store, directory] = [await app.online(), await app.directory()];
    const of = () => createFeatureReader(manifest, resolveService(manifest, service), store, directory);
    const reader = readers.get(service) ?? of();
    readers.set(service, reader);
    const encoded = keys.map((key) => [encodeKey([STRING], [key]) as EncodedKey]);
    const rows = await reader.read(encoded, Date.now() * 1000 + 2 * MICROS_PER_HOUR);
    return rows.map(([view]) => {
      if (view?.statuses.includes('INVALID')) throw new Error(`${service}: a record is INVALID`);
      return view?.values ?? [];
    });
  };

  return {
    project,
    /** This process's own way to the registry and the stores. */
    app,
    /** Puts a file of sales beside the source's others, whole at once. */
    async file(source: SourceName, name: string, sales: readonly Sale[]): Promise<void> {
      const unfinished = project.file(`data/unfinished-${source}-${name}`);
      const rows = sales.map(({ amount, ...sale }) => ({ ...sale, amount: BigInt(amount) }));
      await writeParquet(connection, unfinished, COLUMNS, rows);
      renameSync(unfinished, project.file(`data/${source}-${name}.parquet`));
    },
    /** What each shop's record answers, an hour or two from now: whatever a wrong clock wrote is known by then. */
    async shops(source: SourceName): Promise<ReadonlyMap<string, ShopCounts>> {
      const values = await read(`${source}_by_shop`, SHOPS);
      return new Map(
        values.map(([count, sum, last], i) => [
          SHOPS[i] as string,
          { count: Number(count), sum: Number(sum ?? 0), last: last === null ? null : Number(last) },
        ]),
      );
    },
    /** How often each sale is counted. */
    async counts(source: SourceName, sales: readonly string[]): Promise<ReadonlyMap<string, number>> {
      const found = new Map<string, number>();
      for (let from = 0; from < sales.length; from += TOGETHER) {
        const some = sales.slice(from, from + TOGETHER);
        const values = await read(`${source}_by_sale`, some);
        some.forEach((sale, i) => found.set(sale, Number(values[i]?.[0])));
      }
      return found;
    },
    async close(): Promise<void> {
      connection.closeSync();
      await app.close();
    },
  };
}

/** The project's files; remove it when all is over. */
export function createSalesProject(): Project {
  const project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/sales.ts': REPOSITORY });
  for (const folder of ['data', 'artifacts']) mkdirSync(join(project.directory, folder));
  return project;
}

/** As a push's JSON. */
export function saleRow({ sale, shop, amount, at }: Sale): object {
  return { sale, shop, amount, at: formatTimestamp(at) };
}
