// Minutes as they are read by whoever judges a rollout: rows of all servers, which servers are late with theirs, and the limit
// past which a request is slow.

import { type Clock, type Micros, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../core/index.ts';
import { createSharedClock, type Database } from '../../storage/index.ts';
import { mergeSketch, quantileMicros, roundedUp, unpackSketch } from '../monitor/latency-sketch.ts';
import type { MinuteRow } from './minute-row.ts';
import { migrateMinutes, type MinuteTables } from './minute-tables.ts';
import { fromColumns } from './row-columns.ts';

export interface MinutesQuestion {
  readonly endpoint: string;
  /** Minutes that begin at it, or later. */
  readonly fromMicros: Micros;
  /** And before it. */
  readonly toMicros?: Micros;
  /** Of the endpoint's traffic; all when left out. */
  readonly revisions?: readonly number[];
}

/** Minutes, as the tables have them. All times are by the clock that servers share. Each throws what the database throws. */
export interface Minutes {
  /** Rows of arms and of outcomes, of all servers; by minute. Those of the minute under way still grow. */
  read(question: MinutesQuestion): Promise<readonly MinuteRow[]>;
  /** Which of the servers that live are late with what they counted, the latest first. */
  late(servers: readonly LiveServer[]): Promise<readonly LateServer[]>;
  /** Tells all servers what a request of the endpoint is slow past (`slowLimit`); undefined: nothing is slow. */
  setSlowLimit(endpoint: string, micros: number | undefined): Promise<void>;
  now(): Promise<Micros>;
}

export interface LiveServer {
  readonly id: string;
  readonly startedMicros: Micros;
}

export interface LateServer {
  readonly id: string;
  /** What it has counted is written up to then; when it started, where nothing is. */
  readonly throughMicros: Micros;
  readonly lateMicros: Micros;
}

/** A server that has not written for so long is late: three times as long as it should take. */
const LATE_MICROS = 30 * MICROS_PER_SECOND;

export async function openMinutes(opened: Database, clock: Clock): Promise<Minutes> {
  const database = await migrateMinutes(opened);
  const db = database.tables<MinuteTables>();
  const shared = createSharedClock(database, clock);
  return {
    async read({ endpoint, fromMicros, toMicros, revisions }) {
      let query = db
        .selectFrom('monitoring_minutes')
        .selectAll()
        .where('kind', 'in', ['arm', 'outcome'])
        .where('name', '=', endpoint)
        .where('minute', '>=', fromMicros);
      if (toMicros !== undefined) query = query.where('minute', '<', toMicros);
      if (revisions !== undefined) query = query.where('revision', 'in', [...revisions]);
      return (await query.orderBy('minute').execute()).map(fromColumns);
    },
    async late(servers) {
      const now = await shared.set();
      const rows = await db.selectFrom('monitoring_writers').select(['server', 'through']).execute();
      const through = new Map(rows.map((row) => [row.server, row.through]));
      return servers
        .map(({ id, startedMicros }) => {
          const throughMicros = through.get(id) ?? startedMicros;
          return { id, throughMicros, lateMicros: now - throughMicros };
        })
        .filter(({ lateMicros }) => lateMicros > LATE_MICROS)
        .toSorted((a, b) => b.lateMicros - a.lateMicros);
    },
    async setSlowLimit(endpoint, micros) {
      if (micros === undefined) {
        await db.deleteFrom('monitoring_slow_limits').where('endpoint', '=', endpoint).execute();
        return;
      }
      const told = { micros: Math.floor(micros), at: await shared.set() };
      await db
        .insertInto('monitoring_slow_limits')
        .values({ endpoint, ...told })
        .onConflict((conflict) => conflict.column('endpoint').doUpdateSet(told))
        .execute();
    },
    now: () => shared.set(),
  };
}

const SLOW_FACTOR = 1.25;
const SLOW_WINDOW_MICROS = 10 * MICROS_PER_MINUTE;
const SLOW_LEAST_MINUTES = 3;

/**
 * What a request is slow past, in microseconds: over `factor` times the p99 of `rows` in the ten minutes before `minute`, on the
 * edge of a sketch's bucket. `rows`: those of the stable variant. Undefined while fewer than three of those minutes have any
 * requests.
 */
export function slowLimit(rows: readonly MinuteRow[], minute: Micros, factor = SLOW_FACTOR): number | undefined {
  const before = rows.filter(
    (row) => row.requests > 0 && row.minute < minute && row.minute >= minute - SLOW_WINDOW_MICROS,
  );
  if (new Set(before.map((row) => row.minute)).size < SLOW_LEAST_MINUTES) return undefined;
  const sketch = unpackSketch({ counts: [], sumMicros: 0, maxMicros: 0 });
  for (const row of before) mergeSketch(sketch, unpackSketch(row.latency));
  const p99 = quantileMicros(sketch, 0.99);
  return p99 === null ? undefined : roundedUp(p99 * factor);
}
