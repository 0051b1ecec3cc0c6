// Which experiments a key that is kept to endpoints may see: those of which it may use every endpoint. A report is made of more
// where a metric reads another endpoint's outcomes: it takes that endpoint, too.

import { type Actor, HeadraceError } from '../../core/index.ts';
import { type PresentedExperiment, unknownExperiment } from '../../rollouts/index.ts';
import type { ServedExperiments } from './experiment-routes.ts';

type Reader = Pick<Actor, 'name' | 'endpoints'>;
type Read = Pick<ServedExperiments, 'list' | 'get'>;

/** In a list. */
export async function listFor(experiments: Read, { endpoints }: Reader): Promise<readonly PresentedExperiment[]> {
  return (await experiments.list()).filter((one) => isFor(endpoints, one));
}

/**
 * Without its reports where it may not read them. Throws HR_UNKNOWN_EXPERIMENT, the same for one that it may not see as for one that
 * there is not.
 */
export async function seenBy(experiments: Read, actor: Reader, name: string): Promise<PresentedExperiment> {
  if (actor.endpoints === null) return experiments.get(name);
  const seen = await listFor(experiments, actor);
  const found = seen.some((one) => one.name === name) ? await experiments.get(name) : undefined;
  if (found !== undefined && isFor(actor.endpoints, found)) return shownTo(actor, found);
  throw unknownExperiment(
    name,
    seen.map((one) => one.name),
  );
}

/** As whoever may see it gets it: what was decided is of its reports. */
export function shownTo(actor: Reader, experiment: PresentedExperiment): PresentedExperiment {
  return lackingRead(actor, experiment) === undefined ? experiment : { ...experiment, reports: null };
}

/** Throws HR_FORBIDDEN where the experiment's reports hold what another endpoint came to. */
export function refuseReport(actor: Reader, experiment: PresentedExperiment): void {
  const lacking = lackingRead(actor, experiment);
  if (lacking === undefined) return;
  const { endpoint, metrics } = lacking;
  const [first = ''] = metrics;
  const more = metrics.length > 1 ? ` and ${metrics.length - 1} more` : '';
  const why = metrics.length === 0 ? 'it ran there before' : `metric "${first}"${more} is of it`;
  throw new HeadraceError(
    'HR_FORBIDDEN',
    `reports of experiment "${experiment.name}" hold what endpoint "${endpoint}" came to (${why}), which ${actor.name} may not use. Ask with a key of that endpoint, too.`,
  );
}

function isFor(endpoints: Actor['endpoints'], experiment: PresentedExperiment): boolean {
  return endpoints === null || experiment.endpoints.every(({ endpoint }) => endpoints.has(endpoint));
}

function lackingRead(
  { endpoints }: Reader,
  { reads }: PresentedExperiment,
): PresentedExperiment['reads'][number] | undefined {
  return endpoints === null ? undefined : reads.find(({ endpoint }) => !endpoints.has(endpoint));
}
