// Bandits that run: when their time has come, weights follow what is known, and a phase of its own begins.

import { type Clock, type Logger, messageOf } from '../../core/index.ts';
import { banditWeights, type Experiments, openPhase } from '../../rollouts/index.ts';
import { analyseExperiment, type ReportDeps } from './experiment-reports.ts';

export interface BanditDeps extends ReportDeps {
  readonly logger: Logger;
}

/** Names of those whose time has come. Nothing but their rows is read. */
export async function dueBandits({
  experiments,
  clock,
}: {
  readonly experiments: Pick<Experiments, 'list'>;
  readonly clock: Clock;
}): Promise<readonly string[]> {
  const now = clock.nowMicros();
  return (await experiments.list()).flatMap(({ name, phases }) => {
    const running = openPhase(phases);
    const plan = running?.spec.plan;
    if (running?.state !== 'running' || plan?.kind !== 'bandit') return [];
    return now - running.startedMicros < plan.everyMicros ? [] : [name];
  });
}

/** One look at all that are due. What one of them throws is logged: the others go on. Gives those whose weights changed. */
export async function runBandits(deps: BanditDeps, signal?: AbortSignal): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const name of await dueBandits(deps)) {
    if (signal?.aborted === true) break;
    try {
      const decision = banditWeights(await analyseExperiment(deps, name, 'all', true));
      if (decision === undefined) continue;
      const { weights, best } = decision;
      const reason = `bandit: best with a chance of ${Object.entries(best)
        .map(([arm, share]) => `${(share * 100).toFixed(1)} % ${arm}`)
        .join(', ')}`;
      await deps.experiments.reweigh(name, weights, { actor: 'bandit', reason });
      changed.push(name);
    } catch (thrown) {
      deps.logger.warn({ experiment: name, reason: messageOf(thrown) }, 'the weights of a bandit stay as they are');
    }
  }
  return changed;
}
