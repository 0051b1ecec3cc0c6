// Writes what a server counts by the minute: every 10 s, every second while an endpoint has a rollout. Nothing waits for it. What
// can't be written is held for an hour, and within bounds.

import { type Logger, messageOf, type Micros } from '../../core/index.ts';
import type { Database, SharedClock } from '../../storage/index.ts';
import type { MinuteCollector } from './collect-minutes.ts';
import type { PackedMinute } from './minute-cell.ts';
import { migrateMinutes, type MinuteColumns, type MinuteTables } from './minute-tables.ts';
import { toColumns } from './row-columns.ts';

export interface MinuteWriter {
  /** Writes what changed now, after what is being written. Never rejects: what can't be written waits. */
  flush(): Promise<void>;
  figures(): MinuteFigures;
  /** Writes the last of it. */
  close(): Promise<void>;
}

export interface MinuteFigures {
  /** Rows that wait for a database that is away. */
  readonly waiting: number;
  /** Rows that were given up, counted up. */
  readonly dropped: number;
}

export interface WriteMinutes {
  readonly database: Database;
  readonly collector: MinuteCollector;
  readonly clock: SharedClock;
  /** The server's id, as no other is called. */
  readonly server: string;
  readonly logger: Logger;
  /** How often something is looked for; 0 where only `flush` writes. */
  readonly tickMs?: number;
}

interface Held {
  readonly row: MinuteColumns;
  readonly sinceMs: number;
}

const TICK_MS = 1000;
/** Everything is written each so many ticks; at the others what a rollout wants. */
const TICKS_PER_WHOLE = 10;
/** How long a row is held while the database is away. */
const HELD_MS = 3_600_000;
/** By the texts of the rows: what passes it goes, the oldest first. */
const HELD_BYTES = 64 * 1024 * 1024;
/** In one transaction. */
const AT_ONCE = 100;

export function startMinuteWriter(given: WriteMinutes): MinuteWriter {
  const { database, collector, clock, server, logger, tickMs = TICK_MS } = given;
  /** By key, the oldest first: a newer one of a row takes its place. */
  const waiting = new Map<string, Held>();
  let waitingBytes = 0;
  let dropped = 0;
  let sequence = 0;
  let isAway = false;
  let migrated: Database | undefined;
  let flushing: Promise<void> = Promise.resolve();
  let isBusy = false;
  let ticksSinceWhole = 0;

  const hold = (rows: readonly PackedMinute[]): void => {
    if (rows.length > 0) sequence++;
    for (const { turn, ...row } of rows) {
      const writer = turn === 0 ? server : `${server}~${turn}`;
      put(toColumns({ ...row, writer, sequence, reportedMicros: clock.now() }));
    }
    // By a clock that nobody sets.
    const sinceMs = performance.now() - HELD_MS;
    for (const [key, held] of waiting) {
      if (held.sinceMs >= sinceMs && waitingBytes <= HELD_BYTES) break;
      remove(key, held);
      dropped++;
    }
  };
  const put = (row: MinuteColumns): void => {
    const key = keyOf(row);
    const before = waiting.get(key);
    if (before !== undefined) remove(key, before);
    waiting.set(key, { row, sinceMs: performance.now() });
    waitingBytes += bytesOf(row);
  };
  const remove = (key: string, { row }: Held): void => {
    waiting.delete(key);
    waitingBytes -= bytesOf(row);
  };

  const write = async (which: 'all' | 'rollouts'): Promise<void> => {
    // All that was counted up to here is in what is taken.
    const taken = clock.now();
    hold(collector.take(which));
    try {
      migrated ??= await migrateMinutes(database);
      await clock.set();
      await writeWaiting();
      if (which === 'all') await tellThrough(database, server, taken, clock.now());
      if (collector.hasRollout()) collector.setSlowLimits(await readSlowLimits(database));
      if (isAway) logger.info({}, 'minutes are written again');
      isAway = false;
    } catch (thrown) {
      if (!isAway)
        logger.warn({ reason: messageOf(thrown) }, 'minutes could not be written; they are held for an hour');
      isAway = true;
    }
  };

  const writeWaiting = async (): Promise<void> => {
    while (waiting.size > 0) {
      const some = [...waiting].slice(0, AT_ONCE);
      const reported = clock.now();
      await writeRows(
        database,
        some.map(([, { row }]) => ({ ...row, reported_at: reported })),
      );
      // One that came meanwhile stays.
      for (const [key, held] of some) if (waiting.get(key) === held) remove(key, held);
    }
  };

  const flush = (which: 'all' | 'rollouts'): Promise<void> => {
    isBusy = true;
    flushing = flushing.then(() => write(which)).finally(() => (isBusy = false));
    return flushing;
  };
  const tick = (): void => {
    const isWhole = ++ticksSinceWhole >= TICKS_PER_WHOLE;
    // One that is stuck keeps the next from asking, too; what changes meanwhile is taken after it.
    if (isBusy || !(isWhole || collector.hasRollout())) return;
    if (isWhole) ticksSinceWhole = 0;
    void flush(isWhole ? 'all' : 'rollouts');
  };
  const timer = tickMs === 0 ? undefined : setInterval(tick, tickMs);
  timer?.unref();

  return {
    flush: () => flush('all'),
    figures: () => ({ waiting: isAway ? waiting.size : 0, dropped }),
    async close() {
      clearInterval(timer);
      await flush('all');
    },
  };
}

function keyOf({ kind, name, minute, variant, version, arm, revision, writer }: MinuteColumns): string {
  return JSON.stringify([kind, name, minute, variant, version, arm, revision, writer]);
}

/** About; what the key takes is small. */
function bytesOf(row: MinuteColumns): number {
  const { latency, units, error_units: errors, slow_units: slow, null_units: nulls, outcomes } = row;
  const texts = latency.length + units.length + errors.length + slow.length + nulls.length;
  return 500 + texts + (outcomes?.length ?? 0);
}

// Whoever answers requests does not wait for the disk; with the power go some seconds of figures.
const LOSABLE = { isLosable: true };

const KEY = ['kind', 'name', 'minute', 'variant', 'version', 'arm', 'revision', 'writer'] as const;

/** Whole rows: one that was written before changes nothing, nor does an earlier one of the same key. */
export async function writeRows(database: Database, rows: readonly MinuteColumns[]): Promise<void> {
  await database.transaction<MinuteTables, void>(async (trx) => {
    await trx
      .insertInto('monitoring_minutes')
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .columns(KEY)
          .doUpdateSet((row) => ({
            sequence: row.ref('excluded.sequence'),
            reported_at: row.ref('excluded.reported_at'),
            requests: row.ref('excluded.requests'),
            rows: row.ref('excluded.rows'),
            errors: row.ref('excluded.errors'),
            refused: row.ref('excluded.refused'),
            rejected: row.ref('excluded.rejected'),
            slow: row.ref('excluded.slow'),
            nulls: row.ref('excluded.nulls'),
            breaker_opens: row.ref('excluded.breaker_opens'),
            slow_micros: row.ref('excluded.slow_micros'),
            latency: row.ref('excluded.latency'),
            units: row.ref('excluded.units'),
            error_units: row.ref('excluded.error_units'),
            slow_units: row.ref('excluded.slow_units'),
            null_units: row.ref('excluded.null_units'),
            outcomes: row.ref('excluded.outcomes'),
          }))
          // One that was thought lost may come late.
          .whereRef('excluded.sequence', '>', 'monitoring_minutes.sequence'),
      )
      .execute();
  }, LOSABLE);
}

/** Up to `through` all that the server counted is written. */
async function tellThrough(database: Database, server: string, through: Micros, now: Micros): Promise<void> {
  const told = { through, reported_at: now };
  await database.transaction<MinuteTables, void>(async (trx) => {
    await trx
      .insertInto('monitoring_writers')
      .values({ server, ...told })
      .onConflict((conflict) => conflict.column('server').doUpdateSet(told))
      .execute();
  }, LOSABLE);
}

async function readSlowLimits(database: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await database.tables<MinuteTables>().selectFrom('monitoring_slow_limits').selectAll().execute();
  return new Map(rows.map(({ endpoint, micros }) => [endpoint, micros]));
}
