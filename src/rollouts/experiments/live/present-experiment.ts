// An experiment as the API and the command line show it.

import { formatTimestamp } from '../../../core/index.ts';
import { weightOf } from './arm-ranges.ts';
import type { ExperimentState } from './open-experiments.ts';
import type { KeptReport } from './kept-reports.ts';
import { openPhase, type Phase } from './phases.ts';
import { type ReportRead, reportReads } from './report-reads.ts';

export interface PresentedExperiment {
  readonly name: string;
  /** `defined`: it never ran. */
  readonly state: 'defined' | 'running' | 'ended';
  /** The one that runs, or ran last. */
  readonly phase: number | null;
  readonly unit: readonly string[];
  readonly control: string | null;
  readonly plan: 'split' | 'bandit' | null;
  readonly endpoints: readonly { readonly endpoint: string; readonly state: string }[];
  readonly metrics: { readonly goal: string[]; readonly secondary: string[]; readonly guardrail: string[] };
  readonly arms: readonly PresentedArm[];
  readonly phases: readonly PresentedPhase[];
  /** Whose predictions and outcomes its reports are made of. */
  readonly reads: readonly ReportRead[];
  /** That were made, the newest first; null to whoever may not read them, left out in lists. */
  readonly reports?: readonly KeptReport[] | null;
}

interface PresentedArm {
  readonly name: string;
  /** Percent of all units. */
  readonly weight: number;
  /** By endpoint. */
  readonly versions: Readonly<Record<string, number>>;
}

interface PresentedPhase {
  readonly phase: number;
  readonly state: string;
  readonly seed: string;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly actor: string;
  readonly reason: string | null;
  readonly ended_by: string | null;
  readonly end_reason: string | null;
  readonly arms: readonly PresentedArm[];
}

export function presentExperiment(state: ExperimentState): PresentedExperiment {
  const { name, spec, phases, endpoints, reports } = state;
  const ran = phases.filter(({ state }) => state !== 'failed');
  const last = openPhase(phases) ?? ran.at(-1);
  const defined = spec ?? last?.spec ?? null;
  const names = (role: 'goal' | 'secondary' | 'guardrail'): string[] =>
    defined?.metrics[role].map((metric) => metric.name) ?? [];
  return {
    name,
    state: openPhase(phases) !== undefined ? 'running' : ran.length > 0 ? 'ended' : 'defined',
    phase: last?.phase ?? null,
    unit: defined?.unit ?? [],
    control: defined?.control ?? null,
    plan: defined?.plan.kind ?? null,
    endpoints,
    metrics: { goal: names('goal'), secondary: names('secondary'), guardrail: names('guardrail') },
    arms: last === undefined ? (defined?.arms.map(asDefined) ?? []) : presentArms(last),
    phases: phases.map(presentPhase),
    reads: reportReads(state),
    ...(reports === undefined ? {} : { reports }),
  };
}

// An alias means a version only when it starts.
const asDefined = ({ name, weight }: { readonly name: string; readonly weight: number }): PresentedArm => ({
  name,
  weight,
  versions: {},
});

function presentArms({ live }: Phase): PresentedArm[] {
  return live.arms.map(({ name, ranges, versions }) => ({ name, weight: weightOf({ ranges }), versions }));
}

function presentPhase(phase: Phase): PresentedPhase {
  return {
    phase: phase.phase,
    state: phase.state,
    seed: phase.live.seed,
    started_at: formatTimestamp(phase.startedMicros),
    ended_at: phase.endedMicros === null ? null : formatTimestamp(phase.endedMicros),
    actor: phase.actor,
    reason: phase.reason,
    ended_by: phase.endedBy,
    end_reason: phase.endReason,
    arms: presentArms(phase),
  };
}
