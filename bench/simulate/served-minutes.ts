// What servers count of simulated requests and outcomes, by the minute collector that real ones have, and give a rollout's
// controller as rows: each look takes what changed since the last, as whole rows.

import { createPredictionIds, predictionMark } from '../../src/core/index.ts';
import { createMinuteCollector, type MinuteRow, slowLimit } from '../../src/monitoring/index.ts';
import type { RolloutEvidence } from '../../src/rollouts/index.ts';

export const ENDPOINT = 'simulated';
export const STABLE = { name: 'stable', version: 1 } as const;
export const CANDIDATE = { name: 'candidate', version: 2 } as const;
const MINUTE = 60_000_000;

export interface Answered {
  readonly server: number;
  readonly revision: number;
  readonly isCandidate: boolean;
  readonly unitHash: number;
  readonly latencyMicros: number;
  readonly failed: boolean;
  readonly hasNull: boolean;
}

export interface ServedMinutes {
  readonly evidence: Pick<RolloutEvidence, 'minutes'>;
  answer(request: Answered): void;
  outcome(
    server: number,
    of: { readonly revision: number; readonly version: number; readonly unitHash: number },
    value: number,
  ): void;
  /** Servers write what they counted. */
  write(): void;
  /** What is slow is told anew, by the stable arm's last ten minutes; undefined where they don't tell. */
  tellSlow(nowMicros: number, factor: number): number | undefined;
}

export function createServedMinutes(servers: number, now: () => number): ServedMinutes {
  const collectors = Array.from({ length: servers }, () => createMinuteCollector(now));
  /** By minute, then by what the table's key is. */
  const minutes = new Map<number, Map<string, MinuteRow>>();
  const series = new Map<number, ReturnType<(typeof collectors)[number]['arm']>>();
  const nextId = createPredictionIds('simulated');
  let sequence = 0;

  const seriesOf = ({ server, revision, isCandidate }: Answered) => {
    const key = (revision * servers + server) * 2 + Number(isCandidate);
    const known = series.get(key);
    if (known !== undefined) return known;
    const { name, version } = isCandidate ? CANDIDATE : STABLE;
    const collector = collectors[server] as (typeof collectors)[number];
    const id = { endpoint: ENDPOINT, variant: name, version, arm: name, revision, hasUnits: true };
    const made = collector.arm(id);
    series.set(key, made);
    return made;
  };

  const read = (fromMicros: number, toMicros = Number.POSITIVE_INFINITY): MinuteRow[] =>
    [...minutes].flatMap(([minute, rows]) => (minute >= fromMicros && minute < toMicros ? [...rows.values()] : []));

  return {
    evidence: {
      minutes: ({ revisions, fromMicros, toMicros }) =>
        Promise.resolve(read(fromMicros, toMicros).filter(({ revision }) => revisions.includes(revision))),
    },
    answer(request) {
      const own = seriesOf(request);
      const { unitHash, latencyMicros, failed, hasNull, server } = request;
      collectors[server]?.tick();
      if (failed) {
        own.failed('failed', unitHash);
        return;
      }
      own.row(latencyMicros, hasNull, unitHash);
      own.answered(latencyMicros, 1);
    },
    outcome: (server, { revision, version, unitHash }, value) =>
      collectors[server]?.outcome(ENDPOINT, nextId(predictionMark(revision, version), unitHash), value),
    write() {
      sequence++;
      collectors.forEach((collector, server) => {
        for (const packed of collector.take('all')) {
          const { minute, kind, variant, version, revision } = packed;
          const rows = minutes.get(minute) ?? new Map<string, MinuteRow>();
          minutes.set(minute, rows);
          const row = { ...packed, writer: `server ${server}`, sequence, reportedMicros: now() };
          rows.set(`${kind} ${variant} ${version} ${revision} ${server}`, row);
        }
      });
    },
    tellSlow(nowMicros, factor) {
      const rows = read(nowMicros - 10 * MINUTE).filter(
        ({ kind, version }) => kind === 'arm' && version === STABLE.version,
      );
      const limit = slowLimit(rows, nowMicros - (nowMicros % MINUTE), factor);
      if (limit === undefined) return undefined;
      for (const collector of collectors) collector.setSlowLimits(new Map([[ENDPOINT, limit]]));
      return limit;
    },
  };
}
