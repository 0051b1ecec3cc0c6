// Whether there is anything to do at all, told before anyone is asked: by what a run would read, never by reading it.

import { coveredCut, isOpened, type OpenedRow, type RunRow } from '../../online/index.ts';
import { isWithin, knownApart } from './changes.ts';
import type { SeenLog } from './seen-log.ts';
import type { ViewRun } from './view-run.ts';

/**
 * The finished run that knows all that a new one could; undefined where one is due, or a writer may hold more. `rows`: the
 * version's last finished run and those since.
 */
export async function findStandingRun(
  run: ViewRun,
  rows: readonly RunRow[],
  log: SeenLog,
): Promise<OpenedRow | undefined> {
  const { deps, codec, request, snapshot, asks } = run;
  if (!request.incremental || request.isDue) return undefined;
  const last = rows.findLast(isOpened);
  if (last === undefined || last.state !== 'finished' || last.fingerprint !== asks.fingerprint) return undefined;
  const isSame =
    (codec.source.pushes === 'keep' || asks.proposed === last.boundary) && knownApart(last, asks).length === 0;
  if (!isSame) return undefined;
  for (const { number, state, cut } of log.writers) {
    if (state === 'open' && !log.hasAsked) return undefined;
    const covered = coveredCut(last.coverage, number);
    // The parts of a forgotten one come to be covered by a run.
    if (covered < cut && (state === 'forgotten' || (await log.holds(codec.source.name, number, covered))))
      return undefined;
  }
  const marks = await deps.store.marks(codec.version);
  if (marks.length === 0 || marks.some(({ run: mark }) => mark !== last.number)) return undefined;
  const files = (await deps.runs.snapshots(codec.version, [last.number])).get(last.number);
  return files !== undefined && isWithin(snapshot.files, files) && isWithin(files, snapshot.files) ? last : undefined;
}
