// Phases as their rows have them.

import type { Kysely, Selectable } from 'kysely';
import { canonicalJson, didYouMeanOf, HeadraceError, type Micros, parseJson } from '../../../core/index.ts';
import type { ExperimentSpec } from '../../../definitions/index.ts';
import type { BucketRange } from '../../../registry/index.ts';
import type { ExperimentTables } from './tables.ts';

export type ExperimentDb = Kysely<ExperimentTables>;

/** What every endpoint of a phase has alike; the version of an arm may differ by the endpoint's model. */
export interface LivePhase {
  readonly seed: string;
  readonly arms: readonly {
    readonly name: string;
    readonly ranges: readonly BucketRange[];
    readonly versions: Readonly<Record<string, number>>;
  }[];
}

export interface Phase {
  readonly name: string;
  readonly phase: number;
  readonly state: 'starting' | 'running' | 'ended' | 'failed';
  readonly live: LivePhase;
  readonly spec: ExperimentSpec;
  readonly startedMicros: Micros;
  readonly endedMicros: Micros | null;
  readonly actor: string;
  readonly reason: string | null;
  readonly endedBy: string | null;
  readonly endReason: string | null;
}

/** Ascending; of one experiment where it is named. */
export async function readPhases(db: ExperimentDb, name?: string): Promise<Phase[]> {
  let query = db.selectFrom('experiment_phases').selectAll().orderBy('name').orderBy('phase');
  if (name !== undefined) query = query.where('name', '=', name);
  return (await query.execute()).map(toPhase);
}

/** The one that runs, or else the one that is being started. */
export function openPhase(phases: readonly Phase[]): Phase | undefined {
  return phases.find(({ state }) => state === 'running') ?? phases.find(isOpen);
}

export function isOpen({ state }: Phase): boolean {
  return state === 'running' || state === 'starting';
}

export async function insertPhase(db: ExperimentDb, phase: Phase): Promise<void> {
  await db.insertInto('experiment_phases').values(toRow(phase)).execute();
}

/** Only where it is `from` still; whether it was. */
export async function movePhase(db: ExperimentDb, phase: Phase, from: Phase['state']): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('experiment_phases')
    .set(toRow(phase))
    .where('name', '=', phase.name)
    .where('phase', '=', phase.phase)
    .where('state', '=', from)
    .executeTakeFirstOrThrow();
  return numUpdatedRows > 0n;
}

export function unknownExperiment(name: string, known: readonly string[]): HeadraceError {
  return new HeadraceError(
    'HR_UNKNOWN_EXPERIMENT',
    `there is no experiment "${name.slice(0, 80)}".${didYouMeanOf('experiments', name, known)}`,
  );
}

function toPhase(row: Selectable<ExperimentTables['experiment_phases']>): Phase {
  return {
    name: row.name,
    phase: row.phase,
    state: row.state,
    // Both were written from these.
    live: parseJson(row.live) as unknown as LivePhase,
    spec: parseJson(row.spec) as unknown as ExperimentSpec,
    startedMicros: row.started_at,
    endedMicros: row.ended_at,
    actor: row.actor,
    reason: row.reason,
    endedBy: row.ended_by,
    endReason: row.end_reason,
  };
}

function toRow(phase: Phase): ExperimentTables['experiment_phases'] {
  return {
    name: phase.name,
    phase: phase.phase,
    state: phase.state,
    live: canonicalJson(phase.live),
    spec: canonicalJson(phase.spec),
    started_at: phase.startedMicros,
    ended_at: phase.endedMicros,
    actor: phase.actor,
    reason: phase.reason,
    ended_by: phase.endedBy,
    end_reason: phase.endReason,
  };
}
