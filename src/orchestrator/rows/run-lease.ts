// Who drives a run: the one that holds its lease, which lasts by the database's clock. Clocks and process ids only decide how soon
// another may have it; that nobody writes after that, the epoch does.

import { HeadraceError, type Micros } from '../../core/index.ts';
import { clockText, type Database, type DatabaseKind } from '../../storage/index.ts';
import type { RunState } from '../engine/batch.ts';
import { isFromSetBackClock, isLeaseLive, LEASE_MICROS } from '../lease.ts';
import { createEventWriter } from './add-event.ts';
import { createCancels } from './cancel-run.ts';
import { createPoolRelease } from './give-slots-back.ts';
import type { Hold, RunStore } from './run-store.ts';
import { type Db, statement } from './statement.ts';

/** The run is driven: by whom, and for how long its lease lives unless it is renewed. */
export class RunHeldError extends HeadraceError {
  readonly driver: string;
  readonly leaseLeftMs: number;
  /** Another system drives it, and who holds it makes its rows. */
  readonly isElsewhere: boolean;

  constructor(id: string, driver: string, leaseLeftMs: number, isElsewhere: boolean) {
    const until = `its lease runs for another ${(leaseLeftMs / 1000).toFixed(1)} s unless it is renewed`;
    const what = isElsewhere ? `the rows of run ${id} are made by ${driver}` : `run ${id} is driven by ${driver}`;
    super('HR_CONFLICT', `${what}, and ${until}; wait for it, or stop it with \`headrace runs cancel ${id}\``);
    this.driver = driver;
    this.leaseLeftMs = leaseLeftMs;
    this.isElsewhere = isElsewhere;
  }
}

/** Somebody asked for the run to be cancelled after it was asked to go on: the later holds. */
export class CancelledSinceError extends HeadraceError {
  /** Nobody has carried it out yet: whoever takes the run does. */
  readonly isUnderWay: boolean;

  constructor(id: string, state: RunState) {
    const sentence = `run ${id} is not gone on with: somebody asked to cancel it after this resume had begun, and it is ${state} now; \`headrace runs resume ${id}\` goes on with it all the same`;
    super('HR_CONFLICT', sentence);
    this.name = 'CancelledSinceError';
    this.isUnderWay = state === 'queued' || state === 'running';
  }
}

/** The part of a run's row by which it is told who may change it. */
export interface LeaseRow {
  readonly id: string;
  readonly pipeline: string;
  readonly state: RunState;
  readonly driver: string | null;
  readonly lease_until: number;
  readonly epoch: number;
  readonly cancel_requested: number;
  readonly elsewhere: string | null;
  /** The database's clock. */
  readonly now: number;
}

/** Reads the row, which nobody else changes before the transaction ends. Throws HR_UNKNOWN_RUN. */
export function createRowLock(kind: DatabaseKind): (trx: Db, id: string) => Promise<LeaseRow> {
  const read = statement<LeaseRow>(
    kind,
    `select id, pipeline, state, driver, lease_until, epoch, cancel_requested, elsewhere, ${clockText(kind)} as now
     from pipeline_runs where id = ? ${kind === 'postgres' ? 'for update' : ''}`,
  );
  return async (trx, id) => {
    const row = (await read(trx, id)).rows[0];
    if (row === undefined) throw unknownRun(id);
    return row;
  };
}

export function unknownRun(id: string): HeadraceError {
  return new HeadraceError('HR_UNKNOWN_RUN', `there is no run "${id}"; \`headrace runs list\` shows them`);
}

/** Throws HR_CONFLICT for a run that another system drives. */
export function refuseElsewhere({ id, elsewhere }: Pick<LeaseRow, 'id' | 'elsewhere'>): void {
  if (elsewhere === null) return;
  const sentence = `run ${id} is driven elsewhere, as ${elsewhere} prepared it: go on with it there, and \`headrace runs sync ${id}\` makes its rows; or repeat it here with \`headrace runs rerun ${id} --from STEP\``;
  throw new HeadraceError('HR_CONFLICT', sentence);
}

/** Throws HR_CONFLICT for one that is driven here. */
export function refuseHere(row: LeaseRow): void {
  if (row.elsewhere !== null) return;
  refuseHeld(row);
  const sentence = `run ${row.id} is no run that is driven elsewhere: its rows are made by its driver here, and there is nothing to make of results; go on with it by \`headrace runs resume ${row.id}\``;
  throw new HeadraceError('HR_CONFLICT', sentence);
}

/** Throws RunHeldError while the driver may be at work. */
export function refuseHeld(row: LeaseRow): void {
  const left = leaseLeft(row);
  if (left > 0) throw new RunHeldError(row.id, row.driver ?? '', Math.ceil(left / 1000), row.elsewhere !== null);
}

/** Microseconds; 0 where nobody has it. */
export function leaseLeft({
  driver,
  lease_until: until,
  now,
}: Pick<LeaseRow, 'driver' | 'lease_until' | 'now'>): Micros {
  return isLeaseLive(driver, until, now) && !isFromSetBackClock(until, now) ? until - now : 0;
}

export function createLeases(database: Database): Pick<RunStore, 'take' | 'renew' | 'look' | 'release'> {
  const { kind } = database;
  const until = `${clockText(kind)} + ${LEASE_MICROS}`;
  const lockRow = createRowLock(kind);
  const addEvent = createEventWriter(kind);
  const going = statement<{ going: number }>(
    kind,
    `select count(*) as going from pipeline_runs where pipeline = ? and state = 'running' and elsewhere is null`,
  );
  const take = statement<{ epoch: number }>(
    kind,
    `update pipeline_runs set driver = ?, epoch = epoch + 1, batch = 0, lease_until = ${until}, state = 'running',
       started_at = coalesce(started_at, ${clockText(kind)}) where id = ? returning epoch`,
  );
  const renew = statement<{ cancel_requested: number }>(
    kind,
    // Who wakes one that has ended does not wait for a lease that came after it.
    `update pipeline_runs set lease_until = ${until} where id = ? and epoch = ? and state = 'running' returning cancel_requested`,
  );
  const look = statement<{ cancel_requested: number }>(
    kind,
    'select cancel_requested from pipeline_runs where id = ? and epoch = ?',
  );
  const release = statement<Pick<LeaseRow, 'state' | 'elsewhere' | 'cancel_requested' | 'now'>>(
    kind,
    `update pipeline_runs set driver = null, lease_until = 0, epoch = epoch + 1 where id = ? and epoch = ?
     returning state, elsewhere, cancel_requested, ${clockText(kind)} as now`,
  );
  const cancels = createCancels(kind);

  const releasePools = createPoolRelease(kind);

  const refuseFull = async (trx: Db, { id, pipeline }: LeaseRow, atMost: number): Promise<void> => {
    const count = (await going(trx, pipeline)).rows[0]?.going ?? 0;
    if (count < atMost) return;
    throw new HeadraceError(
      'HR_CONFLICT',
      `run ${id} waits: ${count} of pipeline ${pipeline} go on, and at most ${atMost} may; it starts when one of them has ended`,
    );
  };

  return {
    take: (id, driver, { atMost, isElsewhere = false } = {}) =>
      database.transaction<unknown, Hold>(async (trx) => {
        let row = await lockRow(trx, id);
        if (isElsewhere) refuseHere(row);
        else refuseElsewhere(row);
        if (atMost !== undefined && kind === 'postgres') {
          // Two that count at once would both find room.
          await statement(kind, 'select pg_advisory_xact_lock(hashtextextended(?, 0))')(
            trx,
            `pipeline ${row.pipeline}`,
          );
          row = await lockRow(trx, id);
        }
        if (row.state !== 'queued' && row.state !== 'running') {
          throw new HeadraceError(
            'HR_CONFLICT',
            `run ${id} has ended: ${row.state}; to go on with it, ask for it with \`headrace runs resume ${id}\``,
          );
        }
        // One that asks again did not hear that it was given.
        if (row.driver !== driver) refuseHeld(row);
        if (atMost !== undefined && row.state === 'queued') await refuseFull(trx, row, atMost);
        const { rows } = await take(trx, driver, id);
        // The row is there, and locked.
        return { epoch: rows[0]?.epoch as number, isCancelRequested: row.cancel_requested === 1 };
      }),
    renew: async (id, epoch) => heldBy((await renew(database.tables(), id, epoch)).rows[0]),
    look: async (id, epoch) => heldBy((await look(database.tables(), id, epoch)).rows[0]),
    release: (id, epoch) =>
      database.transaction<unknown, void>(async (trx) => {
        const row = (await release(trx, id, epoch)).rows[0];
        // Elsewhere it goes on.
        if (row?.state !== 'running' || row.elsewhere !== null) return;
        // It came too late for this driver to hear of it, and there may be no other.
        if (row.cancel_requested === 1 && (await cancels.unlessAtWork(trx, id, row.now))) return;
        await releasePools(trx, id);
        await addEvent(trx, id, row.now, 'interrupted');
      }),
  };
}

function heldBy(row: { readonly cancel_requested: number } | undefined): 'held' | 'cancelled' | 'lost' {
  if (row === undefined) return 'lost';
  return row.cancel_requested === 1 ? 'cancelled' : 'held';
}
