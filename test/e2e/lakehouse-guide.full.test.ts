// The guide on tables of a lake, from the first command to the last, over an Iceberg table on S3 and a Delta table on disk that
// their own libraries wrote; and once more after the tables moved on.
// twin: test/integration/delta-source.test.ts > follows deletes, updates, merges, a compaction and a checkpoint
// twin: test/integration/iceberg-source.test.ts > leaves out what is deleted, by rewritten files, by positions and by values

import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { runGuide } from '../support/run-guide.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
import { ownProject } from '../support/test-project.ts';

const suite = 'the guide on tables of a lake';
const GUIDE = join(import.meta.dirname, '../../docs/guides/lakehouse.md');
const python = findLakeWriter(suite);
const extensions = findExtensions(['httpfs', 'avro', 'iceberg', 'delta'], suite);
const program = findS3Server(suite);

const ORDERS = fields({ customer: TYPES.string, amount: TYPES.float64, ordered_at: TYPES.timestamp });
const RETURNS = fields({ customer: TYPES.string, reason: TYPES.string, returned_at: TYPES.timestamp });

it.skipIf(python === undefined || extensions === undefined || program === undefined)(
  `${suite} is what its commands do`,
  { timeout: 300_000 },
  async () => {
    const world = await openLakeWorld(python as string, extensions);
    onTestFinished(() => world.close());
    const server = await startS3Server(program as NonNullable<typeof program>);
    onTestFinished(() => server.stop());
    await server.client.send(new CreateBucketCommand({ Bucket: 'shop' }));
    const project = ownProject({ 'spine.csv': `customer,at\nada,${new Date().toISOString()}\n` });
    project.env = { ...server.variables, HEADRACE_DUCKDB_EXTENSIONS: extensions as string };
    const ago = (hours: number) => Date.now() * 1000 - hours * 3_600_000_000;
    const orders = (...rows: (readonly [amount: number, ordered_at: number])[]) =>
      world.file(
        ORDERS,
        rows.map(([amount, ordered_at]): Row => ({ customer: 'ada', amount, ordered_at })),
      );
    // A catalog puts a table of namespace "lake" below its warehouse.
    const table = { warehouse: 's3://shop', table: 'orders' };
    const first = await orders([1, ago(20)], [2.5, ago(2)]);
    await world.ask({ do: 'iceberg_create', ...table, file: first, s3: server.access });
    const path = join(project.directory, 'lake/returns');
    const back = [{ customer: 'ada', reason: 'too small', returned_at: ago(1) }];
    await world.ask({ do: 'delta_write', path, file: await world.file(RETURNS, back) });

    runGuide(GUIDE, project, project.env);
    const read = () => project.features('features', [{ customer: 'ada' }])[0];
    expect(read()).toEqual({
      spending__last_amount: 2.5,
      spending__spent_30d: 3.5,
      regrets__returns_30d: 1,
      regrets__last_reason: 'too small',
    });
    const columns = ['customer', 'amount', 'ordered_at'].map((name) => expect.objectContaining({ name }));
    const iceberg = { kind: 'iceberg', eventTime: 'ordered_at', columns };
    expect(project.json('sources inspect s3://shop/lake/orders')).toMatchObject(iceberg);
    const delta = { kind: 'delta', location: { path: '../lake/returns' } };
    expect(project.json('sources inspect lake/returns')).toMatchObject(delta);

    await world.ask({ do: 'iceberg_append', ...table, file: await orders([10, ago(1)]) });
    await world.ask({ do: 'delta_delete', path, where: 'true' });
    project.json('materialize --incremental');
    expect(read()).toMatchObject({ spending__last_amount: 10, spending__spent_30d: 13.5, regrets__returns_30d: 0 });
    expect(project.json('training-set audit orders')).toMatchObject({ isClean: true });
    const shown = new RegExp(`source returns: 1 file\\(s\\), 1 rows, at snapshot 0 of ${path}\n`);
    expect(project.run('training-set show orders').stdout).toMatch(shown);
  },
);
