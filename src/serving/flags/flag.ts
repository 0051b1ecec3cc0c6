// What can be asked for as a flag: each endpoint that this server answers by, and each experiment that runs on one of them.

import type { Actor } from '../../core/index.ts';
import type { LiveExperiment } from '../../registry/index.ts';
import type { EndpointPlan } from '../endpoint-plan.ts';

/** What of an endpoint decides. It never changes; a change makes a new one. */
export type FlagPlan = Pick<EndpointPlan, 'state' | 'spec' | 'requestColumns'>;

export interface Flag {
  /** The endpoint's, or the experiment's. */
  readonly name: string;
  readonly plan: FlagPlan;
  /** Null: the flag is the endpoint itself, with all that runs on it. */
  readonly experiment: LiveExperiment | null;
}

/**
 * By name, endpoints first: an experiment named as an endpoint is reached as a part of that alone. An experiment that runs on
 * several endpoints gives its units the same arm at each, so the first tells. `endpoints`: those that may be seen; null: all. Of an
 * experiment all endpoints that it runs on must be among them, as to read its state.
 */
export function flagsOf(plans: readonly FlagPlan[], endpoints: Actor['endpoints']): ReadonlyMap<string, Flag> {
  const seen = plans.filter(({ state }) => endpoints === null || endpoints.has(state.name));
  const flags = new Map<string, Flag>();
  for (const plan of seen) flags.set(plan.state.name, { name: plan.state.name, plan, experiment: null });
  const isSeen = (name: string): boolean =>
    endpoints === null || plans.every(({ state }) => !runs(state, name) || endpoints.has(state.name));
  for (const plan of seen) {
    for (const experiment of plan.state.experiments) {
      if (!flags.has(experiment.name) && isSeen(experiment.name))
        flags.set(experiment.name, { name: experiment.name, plan, experiment });
    }
  }
  return flags;
}

const runs = ({ experiments }: FlagPlan['state'], name: string): boolean =>
  experiments.some((experiment) => experiment.name === name);
