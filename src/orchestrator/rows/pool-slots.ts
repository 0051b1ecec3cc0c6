// Slots of pools as rows: how many each run has, and wants. They are taken with all pools locked, one run after another.

import { clockText, type Database } from '../../storage/index.ts';
import type { RunState } from '../engine/batch.ts';
import { type PoolClaim, shareOf } from './pool-shares.ts';
import { leaseLeft } from './run-lease.ts';
import type { AskedSlots, PoolHolder, PoolSlots, RunStore } from './run-store.ts';
import { type Db, statement, textsOfJson } from './statement.ts';

const LOCK = 'headrace pools';

interface ClaimRow {
  readonly pool: string;
  readonly id: string;
  readonly pipeline: string;
  readonly slots: number;
  readonly wanted: number;
  readonly size: number;
  readonly since: number;
  readonly state: RunState;
  readonly driver: string | null;
  readonly lease_until: number;
  readonly epoch: number;
  readonly cancel_requested: number;
  readonly now: number;
}

export type PoolRows = Pick<RunStore, 'askSlots' | 'poolHolders'>;

/** `tell`: once slots were taken, or are waited for. */
export function createPoolRows(database: Database, tell: (change: Promise<void>) => Promise<void>): PoolRows {
  const { kind } = database;
  const names = textsOfJson(kind);
  const read = statement<ClaimRow>(
    kind,
    `select p.pool, r.id, r.pipeline, p.slots, p.wanted, p.size, p.since, r.state, r.driver, r.lease_until, r.epoch,
       r.cancel_requested, ${clockText(kind)} as now
     from pipeline_pools p join pipeline_runs r on r.id = p.run_id where p.pool in (select value from ${names})`,
  );
  const epochOf = statement<{ epoch: number }>(kind, 'select epoch from pipeline_runs where id = ?');
  const lockEpoch = statement<{ epoch: number }>(
    kind,
    `select epoch from pipeline_runs where id = ? ${kind === 'postgres' ? 'for update' : ''}`,
  );
  const write = statement(
    kind,
    `insert into pipeline_pools as p (pool, run_id, slots, wanted, size, since) values (?, ?, ?, ?, ?, ${clockText(kind)})
     on conflict (pool, run_id) do update set slots = excluded.slots, wanted = excluded.wanted, size = excluded.size,
       since = case when (p.slots = 0) = (excluded.slots = 0) then p.since else excluded.since end`,
  );

  /** What each ask comes to, and whether there is anything to be written for it. */
  const answersOf = async (db: Db, id: string, asked: readonly AskedSlots[]) => {
    const { rows } = await read(db, JSON.stringify(asked.map(({ pool }) => pool)));
    return asked.map(({ pool, size, wanted }) => {
      const others = rows.filter((row) => row.pool === pool && row.id !== id).map(toClaim);
      const mine = rows.find((row) => row.pool === pool && row.id === id);
      const { slots = 0, since = Infinity } = mine ?? {};
      const now = { run: id, slots, wanted, since, isDriven: true, size };
      const { held, share } = shareOf([...others, now], id);
      // One who wants less than its share leaves it to others; what it wants above it changes nothing for them.
      const isOther =
        mine === undefined
          ? wanted > 0
          : held !== slots || mine.size !== size || wanted > mine.wanted || wanted < Math.min(mine.wanted, share);
      return { pool, size, wanted, held, share, isOther };
    });
  };

  return {
    async askSlots(id, epoch, asked) {
      const db: Db = database.tables();
      if ((await epochOf(db, id)).rows[0]?.epoch !== epoch) return 'lost';
      const seen = await answersOf(db, id, asked);
      if (!seen.some(({ isOther }) => isOther)) return seen.map(toSlots);
      let given: readonly PoolSlots[] | 'lost' = 'lost';
      await tell(
        database.transaction<unknown, void>(
          async (trx) => {
            if ((await lockEpoch(trx, id)).rows[0]?.epoch !== epoch) return;
            const answers = await answersOf(trx, id, asked);
            for (const { pool, held, wanted, size, isOther } of answers)
              if (isOther) await write(trx, pool, id, held, wanted, size);
            given = answers.map(toSlots);
          },
          { serializedBy: LOCK },
        ),
      );
      return given;
    },
    async poolHolders(pools) {
      if (pools.length === 0) return [];
      const { rows } = await read(database.tables(), JSON.stringify(pools));
      return rows.map(toHolder);
    },
  };
}

function toClaim(row: ClaimRow): PoolClaim {
  const { id: run, slots, wanted, since, size } = row;
  return { run, slots, wanted, since, size, isDriven: isDriven(row) };
}

function isDriven(row: ClaimRow): boolean {
  return row.state === 'running' && leaseLeft(row) > 0;
}

function toHolder(row: ClaimRow): PoolHolder {
  const { pool, id: run, pipeline, slots, wanted, size } = row;
  return { pool, run, pipeline, slots, wanted, size, isDriven: isDriven(row) };
}

function toSlots({ pool, held, share }: PoolSlots): PoolSlots {
  return { pool, held, share };
}
