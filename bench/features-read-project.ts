// The project that the features-read benchmark serves: 5 views of 10 features of one entity, from files. Of each ten
// two are whole numbers, three have two decimals, three all digits of a double, one is a flag and one a short text.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { applyRepository, fillOnline, openApp, readEnvironment } from '../src/app/index.ts';
import { silentLogger, silentProgress } from '../src/core/index.ts';
import { viewVersion } from '../src/definitions/index.ts';
import type { Values } from './check-answer.ts';

const USERS = 5000;
const VIEWS = Array.from({ length: 5 }, (_, at) => `view_${at}`);
const HOUR_MICROS = 3_600_000_000;

interface Kind {
  readonly type: string;
  /** Of `i` (the user) and `n` (a number of the column's own). */
  readonly sql: (n: number) => string;
  /** The same value. */
  readonly value: (i: number, n: number) => number | boolean | string;
}

const WHOLE: Kind = {
  type: 'int64',
  sql: (n) => `CAST((i * ${n + 7}) % 10007 AS BIGINT)`,
  value: (i, n) => (i * (n + 7)) % 10_007,
};
const DECIMAL: Kind = {
  type: 'float64',
  sql: (n) => `CAST(round((i * ${n + 3}) % 99991 / 100, 2) AS DOUBLE)`,
  value: (i, n) => ((i * (n + 3)) % 99_991) / 100,
};
const DOUBLE: Kind = {
  type: 'float64',
  sql: (n) => `sin(i * ${n + 1} + 0.5)`,
  value: (i, n) => Math.sin(i * (n + 1) + 0.5),
};
const FLAG: Kind = { type: 'bool', sql: (n) => `(i + ${n}) % 3 = 0`, value: (i, n) => (i + n) % 3 === 0 };
const TEXT: Kind = {
  type: 'string',
  sql: (n) => `'city ' || ((i * ${n + 1}) % 400)`,
  value: (i, n) => `city ${(i * (n + 1)) % 400}`,
};
/** By column of a view. */
const KINDS = [WHOLE, WHOLE, DECIMAL, DECIMAL, DECIMAL, DOUBLE, DOUBLE, DOUBLE, FLAG, TEXT];

export interface ReadProject {
  readonly directory: string;
  readonly project: string;
  /** The fields of an entity key's hash that hold the views' records. */
  readonly fields: readonly string[];
  remove(): void;
}

/** Writes, applies and materializes it. `onlineUrl` is absolute, or `lmdb:` relative to the project. */
export async function createReadProject(onlineUrl: string): Promise<ReadProject> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const project = `bench_read_${process.pid}`;
  mkdirSync(join(directory, 'feature_repo', 'data'), { recursive: true });
  const config = `export default { project: '${project}', online: { url: ${JSON.stringify(onlineUrl)} } };\n`;
  writeFileSync(join(directory, 'headrace.config.ts'), config);
  writeFileSync(join(directory, 'feature_repo', 'bench.ts'), repository());
  const environment = { ...readEnvironment({ HEADRACE_OFFLINE_MEMORY: '1GB' }), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    const connection = await (await app.duckdb()).connect();
    for (const [at, view] of VIEWS.entries()) {
      const columns = KINDS.map(({ sql }, column) => `${sql(at * KINDS.length + column)} AS c${column}`).join(', ');
      const time = `make_timestamp(CAST(${Date.now()} AS BIGINT) * 1000 - ${(at + 2) * HOUR_MICROS} - i * 1000000)`;
      const file = join(directory, 'feature_repo', 'data', `${view}.parquet`);
      await connection.run(
        `COPY (SELECT 'user' || i AS "user", ${columns}, ${time} AS at FROM range(${USERS}) t(i)) TO '${file}' (FORMAT parquet)`,
      );
    }
    connection.closeSync();
    await applyRepository(app, {});
    const { manifest } = await app.applied();
    await fillOnline(app, { incremental: false, dryRun: false }, { progress: silentProgress, tell: () => {} });
    return {
      directory,
      project,
      fields: VIEWS.map((view) => viewVersion(manifest, view)),
      remove: () => rmSync(directory, { recursive: true, force: true }),
    };
  } finally {
    await app.close();
  }
}

/** Other users for each body; no row has the user of its neighbours. */
export function userOf(body: number, row: number): number {
  return (body * 7919 + row * 104_729) % USERS;
}

/** What a user's features are, by name. */
export function expectedFeatures(user: number): Values {
  const entries = VIEWS.flatMap((view, at) =>
    KINDS.map(({ value }, column) => [`${view}__c${column}`, value(user, at * KINDS.length + column)] as const),
  );
  return Object.fromEntries(entries);
}

function repository(): string {
  const columns = KINDS.map(({ type }, at) => `c${at}: t.${type}()`).join(', ');
  const features = KINDS.map((_, at) => `c${at}: latest('c${at}')`).join(', ');
  const views = VIEWS.map(
    (view) => `
export const source_${view} = parquet('source_${view}', {
  path: 'data/${view}.parquet', columns: { user: t.string(), ${columns}, at: t.timestamp() }, eventTime: 'at',
});
export const ${view} = featureView('${view}', { entity: user, source: source_${view}, features: { ${features} } });`,
  );
  return `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });${views.join('')}
export const service = featureService('service', [${VIEWS.join(', ')}]);
`;
}
