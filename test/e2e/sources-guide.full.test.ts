// The guide on sources, typed beside a real S3 server; and the five lines of the README.
// twin: test/contract/sources.test.ts > a source of
// twin: test/integration/sources-query.test.ts > a query over sources

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field, Row } from '../../src/core/index.ts';
import {
  fields,
  openOfflineWorld,
  type OfflineWorld,
  readParquet,
  TYPES,
  writeParquet,
} from '../support/offline-world.ts';
import { runGuide } from '../support/run-guide.ts';
import { CONFIG, createProject, headraceJson, type Project } from '../support/serving-project.ts';
import { findS3Server, type S3Server, startS3Server } from '../support/s3-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const DAY = 86_400_000_000;
/** A midnight. */
const BASE = 1_699_920_000_000_000;

const program = findS3Server('the guide on sources');

describe.skipIf(program === undefined)('sources on S3, as they are documented', () => {
  let server: S3Server;
  let world: OfflineWorld;
  let env: S3Server['variables'];
  beforeAll(async () => {
    server = await startS3Server(program as NonNullable<typeof program>);
    world = await openOfflineWorld();
    await server.client.send(new CreateBucketCommand({ Bucket: 'lake' }));
    env = server.variables;
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await server?.stop();
  });

  const put = async (key: string, columns: readonly Field[], rows: readonly Row[]) => {
    const local = join(world.directory, 'upload.parquet');
    await writeParquet(world.connection, local, columns, rows);
    await server.put('lake', key, readFileSync(local));
  };
  const inProject = async (use: (project: Project) => Promise<void>) => {
    const project = createProject({ 'headrace.config.ts': CONFIG });
    try {
      await use(project);
    } finally {
      project.remove();
    }
  };

  it('the guide reads S3, joins, and leaves out days', { timeout: 120_000 }, async () => {
    const orders = fields({ order_id: TYPES.int64, customer: TYPES.string, ordered_at: TYPES.timestamp });
    for (const [day, date] of ['2023-10-01', '2023-11-14', '2023-11-15'].entries()) {
      const at = (day === 0 ? BASE - 44 * DAY : BASE + (day - 1) * DAY) + 1000;
      await put(`orders/dt=${date}/a.parquet`, orders, [{ order_id: BigInt(day), customer: 'ann', ordered_at: at }]);
    }
    await put(
      'items/a.parquet',
      fields({
        order_id: TYPES.int64,
        sku: TYPES.string,
        pieces: TYPES.int64,
        added_at: TYPES.timestamp,
        seen_at: TYPES.timestamp,
      }),
      [1n, 2n].map((id) => ({
        order_id: id,
        sku: 'pen',
        pieces: 10n * id,
        added_at: BASE,
        seen_at: BASE + Number(id) * DAY,
      })),
    );
    await put('spine.parquet', fields({ customer: TYPES.string, at: TYPES.timestamp }), [
      { customer: 'ann', at: BASE + 1.5 * DAY },
      { customer: 'ann', at: BASE + 3 * DAY },
    ]);
    await inProject(async (project) => {
      project.write('feature_repo/countries.csv', 'customer,country,loaded_at\nann,NO,2023-01-01\n');
      runGuide(join(ROOT, 'docs/guides/sources.md'), project, env);
      const columns = fields({
        ordering__orders_7d: TYPES.int64,
        buying__pieces_7d: TYPES.int64,
        buying__country: TYPES.string,
      });
      expect(await readParquet(world.connection, project.file('train.parquet'), columns)).toEqual([
        { ordering__orders_7d: 2n, buying__pieces_7d: 10n, buying__country: 'NO' },
        { ordering__orders_7d: 2n, buying__pieces_7d: 30n, buying__country: 'NO' },
      ]);
      const { training_sets: sets } = headraceJson(project, ['training-set', 'list'], env) as {
        training_sets: readonly { id: string }[];
      };
      const id = sets[0]?.id ?? 'none';
      const { sources } = headraceJson(project, ['training-set', 'show', id], env) as {
        sources: readonly { source: string; files: readonly unknown[]; skipped_files?: number }[];
      };
      const read = sources.find(({ source }) => source === 'orders');
      expect([read?.files.length, read?.skipped_files]).toEqual([2, 1]);
    });
  });

  it('the README takes five lines', { timeout: 120_000 }, async () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, block = ''] = /```ts\n\/\/ S3 in five lines[^\n]*\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(block.trim().split('\n')).toHaveLength(5);
    const columns = fields({
      origin: TYPES.string,
      delay: TYPES.float64,
      departed_at: TYPES.timestamp,
      landed_at: TYPES.timestamp,
    });
    await put('flights/dt=2023-11-14/a.parquet', columns, [
      { origin: 'ATL', delay: 12, departed_at: BASE + 1000, landed_at: BASE + 2000 },
    ]);
    await inProject(async (project) => {
      project.write(
        'feature_repo/flights.ts',
        `import { entity, featureService, featureView, latest, parquet, t } from 'headrace';
${block}
const airport = entity('airport', { keys: { origin: t.string() } });
const delays = featureView('delays', { entity: airport, source: flights, features: { last: latest('delay') } });
export const s = featureService('s', [delays]);
`,
      );
      headraceJson(project, ['apply', '--yes'], env);
      headraceJson(project, ['materialize', '--incremental'], env);
      const read = headraceJson(project, ['features', 'get', '--service', 's', '--rows', '[{"origin":"ATL"}]'], env);
      expect(read).toMatchObject({ rows: [{ features: { delays__last: 12 } }] });
    });
  });
});
