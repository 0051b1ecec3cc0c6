// Who watches the monitors: each tells when it has finished, and whoever serves looks whether it has lately. One that stopped
// is an alert itself, since its silence looks like health.

import { type Clock, formatTimestamp, type Micros } from '../../core/index.ts';
import type { Database } from '../../storage/index.ts';
import type { Alerts } from './alert.ts';
import { type AlertTables, migrateAlerts } from './tables.ts';

export interface Heartbeats {
  /** The monitor has just finished; `everyMicros`: when it is to do so again. */
  beat(monitor: string, everyMicros: Micros): Promise<void>;
  /** The monitor is to run: where it has never finished, for the first time after `firstMicros`, or else one interval. */
  expect(monitor: string, everyMicros: Micros, firstMicros?: Micros): Promise<void>;
  /** Whether it is time that the monitor runs; also where the clock went back. */
  isDue(monitor: string, everyMicros: Micros): Promise<boolean>;
  /** The monitor is not to run any more. */
  retire(monitor: string): Promise<void>;
  /** Tells of each monitor whether it has stopped. */
  watch(alerts: Pick<Alerts, 'observe'>): Promise<void>;
}

/** A monitor that was not heard of for so many of its intervals has stopped. */
const MISSED = 3;

export async function openHeartbeats(opened: Database, clock: Clock): Promise<Heartbeats> {
  const database = await migrateAlerts(opened);
  const tables = () => database.tables<AlertTables>();
  return {
    async beat(monitor, everyMicros) {
      const row = { every_micros: everyMicros, finished_micros: clock.nowMicros() };
      await tables()
        .insertInto('monitoring_heartbeats')
        .values({ monitor, ...row })
        .onConflict((conflict) => conflict.column('monitor').doUpdateSet(row))
        .execute();
    },
    async expect(monitor, everyMicros, firstMicros = everyMicros) {
      const finished_micros = clock.nowMicros() - everyMicros + firstMicros;
      await tables()
        .insertInto('monitoring_heartbeats')
        .values({ monitor, every_micros: everyMicros, finished_micros })
        .onConflict((conflict) => conflict.column('monitor').doUpdateSet({ every_micros: everyMicros }))
        .execute();
    },
    async isDue(monitor, everyMicros) {
      const row = await tables()
        .selectFrom('monitoring_heartbeats')
        .select('finished_micros')
        .where('monitor', '=', monitor)
        .executeTakeFirst();
      const since = clock.nowMicros() - (row?.finished_micros ?? -Infinity);
      return since >= everyMicros || since < 0;
    },
    async retire(monitor) {
      await tables().deleteFrom('monitoring_heartbeats').where('monitor', '=', monitor).execute();
    },
    async watch(alerts) {
      const now = clock.nowMicros();
      for (const { monitor, every_micros, finished_micros } of await tables()
        .selectFrom('monitoring_heartbeats')
        .selectAll()
        .execute()) {
        const silence = now - finished_micros;
        await alerts.observe({
          rule: 'monitor_stopped',
          endpoint: '',
          feature: monitor,
          state: silence > MISSED * every_micros ? 'firing' : 'ok',
          evidence: {
            monitor,
            last_finished: formatTimestamp(finished_micros),
            every_seconds: every_micros / 1e6,
            silent_seconds: Math.round(silence / 1e6),
          },
          at: now,
          opensAfter: 1,
          closesAfter: 1,
        });
      }
    },
  };
}
