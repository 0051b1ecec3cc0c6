// Slices of workers whose lease has run out, or whose process is seen to be gone: given back as lost, so that drivers try again.

import { sql } from 'kysely';
import { clockText, type Database, databaseNow } from '../../../storage/index.ts';
import { isFromSetBackClock, isLeaseLive } from '../../lease.ts';
import { killMarked } from '../../step/marks.ts';
import type { FleetTables } from './tables.ts';

/** Whether there were any. What such a worker writes from then on is refused, for it begins with its own row. */
export async function giveBackLost(database: Database): Promise<boolean> {
  const db = database.tables<FleetTables>();
  const workers = await db.selectFrom('fleet_workers').select(['id', 'until']).execute();
  const now = await databaseNow(database);
  const dead = workers.filter(({ id, until }) => !isLeaseLive(id, until, now) || isFromSetBackClock(until, now));
  for (const { id, until } of dead) {
    const isGone = await database.transaction<FleetTables, boolean>(async (trx) => {
      // One that has renewed it meanwhile keeps it.
      const { numDeletedRows } = await trx
        .deleteFrom('fleet_workers')
        .where('id', '=', id)
        .where('until', '=', until)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    });
    if (!isGone) continue;
    // Its own launcher ends what it started; on this machine it is seen to before anybody is told that nothing of it runs.
    await killMarked((mark) => mark.startsWith(`${id}:`));
  }
  const orphans = await db
    .selectFrom('fleet_slices')
    .select('id')
    .where('state', '=', 'running')
    .where('worker', 'not in', db.selectFrom('fleet_workers').select('id'))
    .execute();
  if (orphans.length === 0) return false;
  await db
    .updateTable('fleet_slices')
    .set({ state: 'lost', changed: sql<number>`${sql.raw(clockText(database.kind))}` })
    .where('state', '=', 'running')
    .where(
      'id',
      'in',
      orphans.map(({ id }) => id),
    )
    .execute();
  return true;
}
