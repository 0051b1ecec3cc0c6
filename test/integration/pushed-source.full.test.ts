// One life of pushed events, through the command line: seen online at once, the same after a materialize, and in
// training sets; for a source that is made of its pushes, and for one whose files bring the same events later.
// twin: test/integration/materialize-pushes.test.ts > counts an event once, at every moment
// twin: test/property/offline-equals-online.test.ts > offline equals online

import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { boundariesInForce, createViewCodec } from '../../src/online/index.ts';
import {
  TYPES,
  fields,
  type OfflineWorld,
  openOfflineWorld,
  readParquet,
  writeParquet,
} from '../support/offline-world.ts';
import { createProject, headraceJson, type Project, startServe } from '../support/serving-project.ts';

const HOUR_MS = 3_600_000;
const COLUMNS = fields({
  customer: TYPES.string,
  amount: TYPES.float64,
  bought_at: TYPES.timestamp,
  known_at: TYPES.timestamp,
});
const NAMES = ['history__last_amount', 'history__purchases_1d', 'history__sum_double_1d'];

const repository = (
  source: string,
) => `import { count, entity, featureService, featureView, latest, ${source.split('(')[0]}, sum, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = ${source}
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp(), known_at: t.timestamp() },
  derive: { double: [t.float64(), (row) => (row.amount == null ? null : row.amount * 2)] },
  eventTime: 'bought_at', knownTime: 'known_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, ttl: '30d',
  features: { last_amount: latest('amount'), purchases_1d: count().over('1d'), sum_double_1d: sum('double').over('1d') },
});
export const features = featureService('features', [history]);
`;

interface Purchase {
  readonly customer: string;
  readonly amount: number;
  readonly hoursAgo: number;
  /** Known that long ago; left out: when it is pushed. */
  readonly knownHoursAgo?: number;
}

describe.each(['keep', 'until-materialized'] as const)('pushes: %s', (pushes) => {
  const start = Date.now();
  const ago = (hours: number) => new Date(start - hours * HOUR_MS);
  let project: Project;
  let world: OfflineWorld;
  beforeAll(async () => {
    world = await openOfflineWorld();
    project = createProject({
      'headrace.config.ts':
        "import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'shop' });\n",
      'feature_repo/shop.ts': repository(
        pushes === 'keep' ? "pushed('purchases', {" : "parquet('purchases', { path: 'data/purchases*.parquet',",
      ),
    });
    mkdirSync(project.file('feature_repo/data'));
    if (pushes !== 'keep') await bring('purchases-0', [{ customer: 'eve', amount: 1, hoursAgo: 5, knownHoursAgo: 5 }]);
    headraceJson(project, ['apply']);
  });
  afterAll(async () => {
    project.remove();
    await world.close();
  });

  /** The files' way: what was pushed before, with the times at which it was known. */
  const bring = (name: string, purchases: readonly Purchase[]) =>
    writeParquet(
      world.connection,
      project.file(`feature_repo/data/${name}.parquet`),
      COLUMNS,
      purchases.map(({ customer, amount, hoursAgo, knownHoursAgo = hoursAgo }) => ({
        customer,
        amount,
        bought_at: ago(hoursAgo).getTime() * 1000,
        known_at: ago(knownHoursAgo).getTime() * 1000,
      })),
    );
  const push = (purchases: readonly Purchase[], key: string) => {
    const lines = purchases.map(({ customer, amount, hoursAgo, knownHoursAgo }) =>
      JSON.stringify({
        customer,
        amount,
        bought_at: ago(hoursAgo).toISOString(),
        known_at: knownHoursAgo === undefined ? null : ago(knownHoursAgo).toISOString(),
      }),
    );
    project.write('events.jsonl', `${lines.join('\n')}\n`);
    return headraceJson(project, ['push', 'purchases', 'events.jsonl', '--idempotency-key', key]);
  };
  const features = (...customers: string[]) => {
    const rows = JSON.stringify(customers.map((customer) => ({ customer })));
    // The command's own document.
    const answer = headraceJson(project, ['features', 'get', '--service', 'features', '--rows', rows]) as {
      rows: { features: Record<string, number | null> }[];
    };
    return answer.rows.map((row) => NAMES.map((name) => row.features[name] ?? null));
  };
  const materialize = () => headraceJson(project, ['materialize', '--incremental']);
  const trainingSet = async (...customers: string[]) => {
    const spine = customers.map((customer) => ({ customer, at: Date.now() * 1000 }));
    const columns = fields({ customer: TYPES.string, at: TYPES.timestamp });
    await writeParquet(world.connection, project.file('spine.parquet'), columns, spine);
    const set = ['training-set', 'create', '--service', 'features', '--spine', 'spine.parquet'];
    headraceJson(project, [...set, '--timestamp', 'at', '--out', 'out.parquet']);
    const types = fields({
      [NAMES[0] as string]: TYPES.float64,
      [NAMES[1] as string]: TYPES.int64,
      [NAMES[2] as string]: TYPES.float64,
    });
    const rows = await readParquet(world.connection, project.file('out.parquet'), types);
    return rows.map((row) => NAMES.map((name) => (row[name] === null ? null : Number(row[name]))));
  };

  it('are seen at once, alike after each materialize, and in training sets', async () => {
    const first: Purchase[] = [
      { customer: 'ada', amount: 10, hoursAgo: 3, knownHoursAgo: 3 },
      { customer: 'bob', amount: 20, hoursAgo: 2, knownHoursAgo: 2 },
    ];
    push(first, 'first');
    const once = [
      [10, 1, 20],
      [20, 1, 40],
    ];
    expect(features('ada', 'bob')).toEqual(once);
    push(first, 'first');
    expect(features('ada', 'bob')).toEqual(once);

    if (pushes !== 'keep') await bring('purchases-1', first);
    materialize();
    expect(features('ada', 'bob')).toEqual(once);
    push(first, 'first');
    expect(features('ada', 'bob')).toEqual(once);
    expect(await trainingSet('ada', 'bob')).toEqual(once);

    // Now: for the log it is known when it arrives. And late: known, by what it says, before the materialize.
    push([{ customer: 'ada', amount: 5, hoursAgo: 0.001 }], 'second');
    if (pushes === 'keep') push([{ customer: 'bob', amount: 7, hoursAgo: 4, knownHoursAgo: 1 }], 'late');
    const twice = [[5, 2, 30], pushes === 'keep' ? [20, 2, 54] : [20, 1, 40]];
    expect(features('ada', 'bob')).toEqual(twice);
    // As the log did, the file says when it came to be known: after the last materialize.
    const since = (start - Date.now()) / HOUR_MS;
    if (pushes !== 'keep')
      await bring('purchases-2', [{ customer: 'ada', amount: 5, hoursAgo: 0.001, knownHoursAgo: since }]);
    materialize();
    expect(features('ada', 'bob')).toEqual(twice);
    materialize();
    expect(features('ada', 'bob')).toEqual(twice);
    expect(await trainingSet('ada', 'bob')).toEqual(twice);
  }, 120_000);

  it('that a crash kept from the store are applied when a server starts', async () => {
    const environment = { ...readEnvironment(), workingDirectory: project.directory };
    const app = await openApp({ environment, logger: silentLogger });
    const { manifest } = await app.applied();
    const { version } = createViewCodec(manifest, 'history');
    // A server that died between the log and the store: its lock is free, and its cut is not sealed.
    const writer = await (await app.log()).register();
    await writer.openCut(new Map([[version, boundariesInForce(await (await app.runs()).ofVersion(version))]]));
    const at = app.clock.nowMicros();
    const row = { customer: 'lost', amount: 3, bought_at: at, known_at: null };
    await writer.append({ source: manifest.sources['purchases'] as SourceSpec, rows: [{ row, knownMicros: at }] });
    await writer.close();
    await app.close();
    expect(features('lost')).toEqual([[null, 0, null]]);
    const server = await startServe(project);
    try {
      // It listens before it has settled what others left.
      await expect.poll(() => features('lost'), { timeout: 15_000 }).toEqual([[3, 1, 6]]);
    } finally {
      await server.stop();
    }
    // It was shipped too.
    expect(await trainingSet('lost')).toEqual([[3, 1, 6]]);
  }, 60_000);
});
