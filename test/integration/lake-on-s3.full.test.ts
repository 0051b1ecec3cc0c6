// Tables of a lake on a real S3 server: what a run does when their objects vanish, or the credentials are wrong.
// twin: test/integration/lake-tables.test.ts > is read as it was to the end of a run, although it is rewritten and cleaned

import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Row } from '../../src/core/index.ts';
import { findExtensions } from '../support/duckdb-extensions.ts';
import { type LakeWorld, openLakeWorld } from '../support/lake-world.ts';
import { findLakeWriter } from '../support/lake-writer.ts';
import { fields, TYPES } from '../support/offline-world.ts';
import { refused } from '../support/refused.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';
import { skipBecause } from '../support/skips.ts';

const suite = 'tables of a lake on S3';
const python = findLakeWriter(suite);
const extensions = findExtensions(['httpfs', 'avro', 'iceberg', 'delta'], suite);
const program = findS3Server(suite);
const canRun = python !== undefined && extensions !== undefined && program !== undefined;
const seesSecrets = program?.name === 'versitygw';
if (canRun && !seesSecrets) skipBecause(`${suite}: moto takes any secret, so wrong ones are not tried`);

const COLUMNS = fields({ id: TYPES.int64, at: TYPES.timestamp, name: TYPES.string });
const row = (id: number, name: string): Row => ({ id: BigInt(id), at: id, name });

describe.skipIf(!canRun).each(['iceberg', 'delta'] as const)('a table of %s on S3', (kind) => {
  let world: LakeWorld;
  let server: S3Server;
  let s3: S3Server['access'];
  beforeAll(async () => {
    world = await openLakeWorld(python as string, extensions);
    server = await startS3Server(program as NonNullable<typeof program>);
    s3 = server.access;
  }, 90_000);
  afterAll(async () => {
    await world?.close();
    await server?.stop();
  });

  /** A table of two files. */
  async function make([first, second]: readonly [Row, Row] = [row(1, 'a'), row(2, 'b')]) {
    const bucket = await server.newBucket();
    const table = await world.table(kind, COLUMNS, [first], { warehouse: `s3://${bucket}/lake`, s3 });
    const { files } = await table.append([second]);
    return { ...table, bucket, files };
  }

  it('is read where it is, with its data objects known by their etags', async () => {
    const { files, pin } = await make();
    const run = await pin();
    expect(run.snapshot.knownBy).toBe('etag');
    expect(run.snapshot.files.map(({ path }) => path)).toEqual([...files].sort());
    expect(await run.rows()).toEqual(['[1,1,"a"]', '[2,2,"b"]']);
  });

  it('is landed from there where its rows are not those of its objects', async () => {
    // As Hadoop's programs write it.
    const warehouse = `${kind === 'delta' ? 's3' : 's3a'}://${await server.newBucket()}/lake`;
    const rows = [row(1, 'a'), row(2, 'b=c/d e%20'), row(3, 'gone')];
    const partition = kind === 'delta' ? { partition: ['name'] } : {};
    const { pin, change } = await world.table(kind, COLUMNS, rows, { warehouse, s3, ...partition });
    if (kind === 'delta') await change('delete', { where: "name = 'gone'" });
    else await change('delete_positions', { column: 'name', value: 'gone' });
    const run = await pin();
    expect(run.snapshot.files[0]?.path).toContain('landed');
    expect(await run.rows()).toEqual(['[1,1,"a"]', '[2,2,"b=c/d e%20"]']);
  });

  it.skipIf(kind !== 'iceberg')('is read by copies where its keys have signs of their own', async () => {
    const warehouse = `s3://${await server.newBucket()}/lake`;
    const rows = [row(1, 'a'), row(2, 'b=c/d e%20*')];
    const { pin } = await world.table(kind, COLUMNS, rows, { warehouse, s3, partition: 'name' });
    const run = await pin();
    expect(run.snapshot.files).toHaveLength(2);
    expect(await run.rows()).toEqual(['[1,1,"a"]', '[2,2,"b=c/d e%20*"]']);
  });

  const remove = (bucket: string, path: string) =>
    server.client.send(new DeleteObjectCommand({ Bucket: bucket, Key: path.slice(`s3://${bucket}/`.length) }));

  it('is none of a run’s business where its rows are of other times than those that are wanted', async () => {
    const at = 3_600_000_000;
    const { bucket, files, pin } = await make([row(1, 'a'), { ...row(2, 'b'), at }]);
    const run = await pin(COLUMNS, { from: at, to: at });
    const wanted = run.snapshot.files.map(({ path }) => path);
    expect(wanted).toHaveLength(1);
    await remove(bucket, files.find((path) => !wanted.includes(path)) as string);
    expect(await run.rows()).toEqual([`[2,${at},"b"]`]);
  });

  it('tells which object vanished under a run', async () => {
    const { bucket, files, pin } = await make();
    const run = await pin();
    const [gone = ''] = files;
    await remove(bucket, gone);
    await refused(run.rows(), 'HR_SOURCE_CHANGED', gone);
    await refused(pin(), 'HR_SOURCE_CHANGED');
  });

  it('tells that there is no table, and no bucket', async () => {
    const { bucket } = await make();
    const at = (path: string) => world.pin({ kind, location: { path } }, COLUMNS, { s3 });
    await refused(at(`s3://${bucket}/nowhere`), 'HR_SOURCE_UNREADABLE');
    await refused(at('s3://no-such-bucket/t'), 'HR_CONFIG');
  });

  it.skipIf(!seesSecrets)('tells wrong credentials without showing them', async () => {
    const { at } = await make();
    const other = await openLakeWorld(python as string, extensions);
    onTestFinished(() => other.close());
    const wrong = other.pin(at, COLUMNS, { s3: { ...s3, secretAccessKey: 'not-the-secret' } });
    expect(String(await refused(wrong, 'HR_CONFIG'))).not.toContain('not-the-secret');
  });
});
