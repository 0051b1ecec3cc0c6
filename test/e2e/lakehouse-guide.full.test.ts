// The guide on tables of a lake, from the first command to the last, over an Iceberg table on S3 and a Delta table on disk that
// their own libraries wrote; and once more after the tables moved on.
// twin: test/integration/delta-source.test.ts > follows deletes
// twin: test/integration/iceberg-source.test.ts > leaves out what is deleted

import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { runGuide } from '../support/run-guide.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { createProject, headrace, headraceJson } from '../support/serving-project.ts';

const suite = 'the guide on tables of a lake';
const GUIDE = join(import.meta.dirname, '../../docs/guides/lakehouse.md');
const python = findLakeWriter(suite);
const extensions = findExtensions(['httpfs', 'avro', 'iceberg', 'delta'], suite);
const program = findS3Server(suite);
const canRun = python !== undefined && extensions !== undefined && program !== undefined;

const ORDERS = fields({ customer: TYPES.string, amount: TYPES.float64, ordered_at: TYPES.timestamp });
const RETURNS = fields({ customer: TYPES.string, reason: TYPES.string, returned_at: TYPES.timestamp });
const HOUR = 3_600_000_000;

describe.skipIf(!canRun)(suite, () => {
  const project = createProject({
    'headrace.config.ts': `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n`,
    'spine.csv': `customer,at\nada,${new Date().toISOString()}\n`,
  });
  let world: LakeWorld;
  let server: S3Server;
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
    server = await startS3Server(program as NonNullable<typeof program>);
  }, 90_000);
  afterAll(async () => {
    await world?.close();
    await server?.stop();
    project.remove();
  });

  it('is what its commands do', { timeout: 300_000 }, async () => {
    const s3 = server.access;
    await server.client.send(new CreateBucketCommand({ Bucket: 'shop' }));
    const ago = (hours: number) => Date.now() * 1000 - hours * HOUR;
    const orders = (rows: readonly Row[]) => world.file(ORDERS, rows);
    // A catalog puts a table of namespace "lake" below its warehouse.
    const table = { warehouse: 's3://shop', table: 'orders' };
    const first = await orders([
      { customer: 'ada', amount: 1, ordered_at: ago(20) },
      { customer: 'ada', amount: 2.5, ordered_at: ago(2) },
    ]);
    await world.ask({ do: 'iceberg_create', ...table, file: first, s3 });
    const path = join(project.directory, 'lake/returns');
    const back = [{ customer: 'ada', reason: 'too small', returned_at: ago(1) }];
    await world.ask({ do: 'delta_write', path, file: await world.file(RETURNS, back) });

    const env = { ...server.variables, HEADRACE_DUCKDB_EXTENSIONS: extensions as string };
    runGuide(GUIDE, project, env);
    const asked = ['features', 'get', '--service', 'features', '--rows', '[{"customer":"ada"}]'];
    const read = () =>
      (headraceJson(project, asked, env) as { rows: { features: Record<string, unknown> }[] }).rows[0]?.features;
    expect(read()).toEqual({
      spending__last_amount: 2.5,
      spending__spent_30d: 3.5,
      regrets__returns_30d: 1,
      regrets__last_reason: 'too small',
    });

    const look = (place: string) => headraceJson(project, ['sources', 'inspect', place], env);
    const columns = ['customer', 'amount', 'ordered_at'].map((name) => expect.objectContaining({ name }));
    expect(look('s3://shop/lake/orders')).toMatchObject({ kind: 'iceberg', eventTime: 'ordered_at', columns });
    expect(look('lake/returns')).toMatchObject({ kind: 'delta', location: { path: '../lake/returns' } });
    expect(headrace(project, ['sources', 'inspect', './lake'], env)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('holds files that lie in folders of it: returns. Name one of them'),
    });

    const more = await orders([{ customer: 'ada', amount: 10, ordered_at: ago(1) }]);
    await world.ask({ do: 'iceberg_append', ...table, file: more });
    await world.ask({ do: 'delta_delete', path, where: 'true' });
    headraceJson(project, ['materialize', '--incremental'], env);
    expect(read()).toMatchObject({ spending__last_amount: 10, spending__spent_30d: 13.5, regrets__returns_30d: 0 });
    expect(headraceJson(project, ['training-set', 'audit', 'orders'], env)).toMatchObject({ isClean: true });
    expect(headrace(project, ['training-set', 'show', 'orders'], env).stdout).toMatch(
      new RegExp(`source returns: 1 file\\(s\\), 1 rows, at snapshot 0 of ${path}\n`),
    );
  });
});
