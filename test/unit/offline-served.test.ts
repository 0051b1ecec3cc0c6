// What verify finds out of the reads of earlier runs, whose files may be there no more.

import { expect, it } from 'vitest';
import { viewVersion } from '../../src/definitions/index.ts';
import { checkServed } from '../../src/offline/index.ts';
import { openRuns } from '../../src/online/index.ts';
import { fields, TYPES, worldOfEach } from '../support/offline-world.ts';
import { oneView } from '../support/one-view.ts';
import { refused } from '../support/refused.ts';

const world = worldOfEach();

/** Asks about a read after a run that read the file. */
async function arrivedAfter(path: string) {
  const columns = fields({ key: TYPES.string, at: TYPES.timestamp, v: TYPES.float64 });
  const manifest = oneView(path, columns);
  const runs = await openRuns(world.deps.database);
  const asked = { proposed: 0, asOf: 0, carriesWaiting: false, fingerprint: '', askedMicros: 1 };
  const run = await runs.ask({ view: 'v', version: viewVersion(manifest, 'v'), ...asked });
  const coverage = { floor: 1, cuts: new Map() };
  const snapshot = [{ path, size: 1, etag: 'e' }];
  await runs.open(run, { snapshot, boundary: 0, coverage, isFull: true, since: 0 });
  await runs.finish(run, { keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0 }, 2);
  const nobody = { s3: { endpoint: 'http://127.0.0.1:1', accessKeyId: 'a', secretAccessKey: 'b' } };
  const check = checkServed({ ...world.depsOf(manifest), remote: nobody }, 's');
  const [arrived] = await check.arrived([{ request: { id: 'x' }, at: 3 }]);
  return arrived?.gone(0);
}

it('files that are gone can not be compared with', async () => {
  expect(await arrivedAfter(world.path('gone.parquet'))).toMatch(/^files of source "events" have changed since run \d/);
});

it('an S3 that does not answer is no file that has changed', async () => {
  await refused(arrivedAfter('s3://bucket/events.parquet'), 'HR_STORAGE_UNAVAILABLE', 'source "events"');
});
