// What a service's features should have been at each of some times: by the facts that are there now and were known by then;
// and what else they can have been, by what had arrived by then. The audit's evaluator computes both: it shares nothing with
// what answers.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Field, HeadraceError, type Micros, type Row, type Value } from '../../core/index.ts';
import { type SourceSpec, viewVersion } from '../../definitions/index.ts';
import { fileKey, openRuns, type RunRow, type Runs, type SnapshotFile } from '../../online/index.ts';
import type { SourceFacts } from '../facts/current-facts.ts';
import { openFacts } from '../facts/open-facts.ts';
import type { Facts } from '../facts/facts.ts';
import { readableCoverage } from '../facts/log-rows.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { planTrainingSet, type ReadPlan, type TrainingSetPlan } from '../plan.ts';
import { hasRemovedEvents } from '../retention/retention-table.ts';
import { ALL_EVENTS } from '../sources/event-range.ts';
import { pinRecorded } from '../sources/pin-source.ts';
import { type PinnedSnapshot, readPinned } from '../sources/pinned-snapshot.ts';
import { openPlanFacts } from '../training-sets/source-facts.ts';
import { agrees } from '../audit/agrees.ts';
import { evaluateService, type RowReads } from '../audit/evaluate-service.ts';
import { evaluateView, type Fact, servedAt, visibleFacts } from '../audit/evaluate-view.ts';
import { readFacts, type SamplePoint } from '../audit/read-facts.ts';

/** A request that was answered. */
export interface ServedPoint {
  readonly request: Row;
  /** The time that its features were read as of. */
  readonly at: Micros;
}

export interface ServedCheck {
  /** Of the request, as the log has them. */
  readonly requestColumns: readonly Field[];
  readonly features: readonly Field[];
  /** By point and feature: as of then, by the facts of now. */
  known(points: readonly ServedPoint[]): Promise<Value[][]>;
  /** By point: what reads of then may have found. */
  arrived(points: readonly ServedPoint[]): Promise<Arrived[]>;
  agrees(feature: number, got: Value, wanted: Value): boolean;
}

/** All that a read of then can have given, by what it had seen. */
export interface Arrived {
  /** Of one feature. */
  candidates(feature: number): readonly ArrivedCandidate[];
  /** Why that can't be told whole of a feature; null where it can. */
  gone(feature: number): string | null;
}

export interface ArrivedCandidate {
  readonly value: Value;
  /** It lacks what came within moments before the read, of one view at least. */
  readonly isInFlight: boolean;
}

/** Within it an event is logged, and may not be seen yet. */
const IN_FLIGHT_MICROS = 10_000_000;
/** Further ones tell nothing: so many pushes of one key in so short a time. */
const MOST_CUTOFFS = 20;
const MOST_COMBINATIONS = 256;
const TOO_MANY = 'more events came within moments before the read than can be told apart';

/** By `deps.definitions`. Throws HR_UNKNOWN_SERVICE. */
export function checkServed(deps: OfflineDeps, service: string): ServedCheck {
  const { manifest } = deps.definitions;
  const plan = planTrainingSet(manifest, { service, timestamp: '__hr_at', labels: [], boundary: 'at' });
  const evaluate = (points: readonly ServedPoint[], reads: readonly RowReads[]): Value[][] =>
    evaluateService(
      plan,
      deps.definitions,
      points.map(({ request }) => request),
      reads,
    );
  return {
    requestColumns: plan.spineColumns.map(({ name, type }) => ({ name, type })),
    features: plan.features.map(({ name, type }) => ({ name, type })),
    agrees: (feature, got, wanted) => {
      const of = plan.features[feature];
      return of !== undefined && agrees(plan, of, got, wanted);
    },
    known: (points) =>
      withConnection(deps, async (connection) => {
        const reads: RowReads[] = points.map(() => []);
        const { bySource, snapshots, close } = await openPlanFacts(connection, plan, ALL_EVENTS, deps);
        try {
          for (const [place, read] of plan.reads.entries()) {
            // One for each read of the plan.
            const { facts } = bySource.get(read.view.source) as SourceFacts;
            await readPinned(snapshots, `source "${read.view.source}" cannot be read`, () =>
              readFacts(connection, read, facts, pointsOf(read, points), (point, found) => {
                (reads[point.index] as RowReads)[place] = valuesAt(read, facts, found, point.at);
              }),
            );
          }
        } finally {
          await close();
        }
        return evaluate(points, reads);
      }),
    arrived: (points) =>
      withConnection(deps, async (connection) => {
        const found = await arrivedReads(connection, deps, plan, points);
        return points.map((point, index): Arrived => {
          const { reads, gone } = found[index] as FoundReads;
          return {
            candidates(feature) {
              // What the feature does not come of makes no difference to it.
              const own = readsOf(plan, feature);
              const varied = reads.map((some, read) => (own.has(read) ? some : some.slice(0, 1)));
              return combinations(varied).map(({ read, isInFlight }) => ({
                value: evaluate([point], [read])[0]?.[feature] ?? null,
                isInFlight,
              }));
            },
            gone(feature) {
              const own = [...readsOf(plan, feature)];
              const many = own.reduce((product, read) => product * Math.max(1, reads[read]?.length ?? 0), 1);
              return (
                own.map((read) => gone[read]).find((one) => one !== undefined) ??
                (many > MOST_COMBINATIONS ? TOO_MANY : null)
              );
            },
          };
        });
      }),
  };
}

async function withConnection<T>(deps: OfflineDeps, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const connection = await deps.duckdb.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
  }
}

/** The reads that a feature's value comes of. */
function readsOf(plan: TrainingSetPlan, feature: number): ReadonlySet<number> {
  const found = new Set<number>();
  const follow = (transform: number): void => {
    for (const input of plan.transforms[transform]?.inputs ?? []) {
      if (input.kind === 'read') found.add(input.read);
      else if (input.kind === 'onDemand') follow(input.transform);
    }
  };
  const from = plan.features[feature]?.from;
  if (from?.kind === 'read') found.add(from.read);
  else if (from !== undefined) follow(from.transform);
  return found;
}

/** Those whose key is known. */
function pointsOf(read: ReadPlan, points: readonly ServedPoint[]): SamplePoint[] {
  return points.flatMap(({ request, at }, index) => {
    const key = read.keys.map(({ spineColumn }) => request[spineColumn] ?? null);
    return key.includes(null) ? [] : [{ index, key, at: servedAt(read, at) }];
  });
}

function valuesAt(read: ReadPlan, { source }: Facts, facts: readonly Fact[], at: Micros): Map<number, Value> {
  return evaluateView(read, source, visibleFacts(read, source, facts, at), at);
}

interface ReadCandidate {
  readonly values: ReadonlyMap<number, Value> | undefined;
  readonly isInFlight: boolean;
}

interface FoundReads {
  /** By the plan's reads. */
  readonly reads: ReadCandidate[][];
  /** By the plan's reads, why one can't be told; undefined where it can. */
  readonly gone: (string | undefined)[];
}

/** By the runs that may have been in force: that before, and one that was at work. */
async function arrivedReads(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  plan: TrainingSetPlan,
  points: readonly ServedPoint[],
): Promise<readonly FoundReads[]> {
  const runs = await openRuns(deps.database);
  const coverage = await readableCoverage(deps.log);
  const found = points.map((): FoundReads => ({ reads: plan.reads.map(() => []), gone: [] }));
  for (const [place, read] of plan.reads.entries()) {
    const source = deps.definitions.manifest.sources[read.view.source];
    if (source === undefined) continue;
    const removed = await hasRemovedEvents(deps.database, source.name);
    const asked = new Map<RunRow | null, SamplePoint[]>();
    const inForce = await runsInForce(runs, viewVersion(deps.definitions.manifest, read.view.name));
    for (const point of pointsOf(read, points)) {
      if (removed)
        (found[point.index] as FoundReads).gone[place] = `retention has removed events of source "${source.name}"`;
      for (const run of inForce((points[point.index] as ServedPoint).at)) {
        const own = asked.get(run) ?? [];
        own.push(point);
        asked.set(run, own);
      }
    }
    for (const [run, own] of asked) {
      const files = run === null ? [] : (await runs.snapshots(run.version, [run.number])).get(run.number);
      const snapshot = files && (await pinStill(source, files, deps));
      const isSame = files !== undefined && snapshot !== undefined && isSameFiles(snapshot.files, files);
      try {
        if (!isSame) {
          for (const { index } of own) {
            (found[index] as FoundReads).gone[place] =
              files === undefined
                ? `which files of source "${source.name}" run ${run?.number} read is no longer kept`
                : `files of source "${source.name}" have changed since run ${run?.number}`;
          }
          continue;
        }
        const boundary = run?.boundary ?? -Infinity;
        const facts = await openFacts(connection, source, deps, { snapshot, boundary, coverage });
        await readFacts(connection, read, facts, own, (point, seen) => {
          const { at } = points[point.index] as ServedPoint;
          const { cutoffs, isWhole } = cutoffsOf(seen, at);
          if (!isWhole) (found[point.index] as FoundReads).gone[place] ??= TOO_MANY;
          for (const { limit, isInFlight } of cutoffs) {
            const arrived = seen.filter((fact) => hasArrived(fact, run, limit));
            const values = valuesAt(read, facts, arrived, point.at);
            found[point.index]?.reads[place]?.push({ values, isInFlight });
          }
        });
      } finally {
        await snapshot?.close();
      }
    }
  }
  return found;
}

/** Undefined where the files can't be read any more. Throws HR_STORAGE_UNAVAILABLE: an outage says nothing of the files. */
async function pinStill(
  source: SourceSpec,
  files: readonly SnapshotFile[],
  deps: OfflineDeps,
): Promise<PinnedSnapshot | undefined> {
  try {
    return await pinRecorded(source, { files }, deps);
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_STORAGE_UNAVAILABLE') throw error;
    return undefined;
  }
}

function isSameFiles(one: readonly SnapshotFile[], other: readonly SnapshotFile[]): boolean {
  return one.length === other.length && one.every((file, i) => fileKey(file) === fileKey(other[i] as SnapshotFile));
}

/** Rows of finished runs by when they ended; a run's bases come into the store from its begin on. */
async function runsInForce(runs: Runs, version: string): Promise<(at: Micros) => readonly (RunRow | null)[]> {
  const finished = (await runs.ofVersion(version)).filter(({ state }) => state === 'finished');
  return (at) => {
    const before = finished.findLast(({ finishedMicros }) => finishedMicros !== null && finishedMicros <= at) ?? null;
    const during = finished.filter(
      ({ askedMicros, finishedMicros }) => askedMicros <= at && (finishedMicros ?? Infinity) > at,
    );
    return [before, ...during];
  };
}

interface Cutoffs {
  readonly cutoffs: readonly { readonly limit: Micros; readonly isInFlight: boolean }[];
  /** Whether these are all. */
  readonly isWhole: boolean;
}

/** What was pushed within moments of the read may have been seen or not, the latest first. */
function cutoffsOf(facts: readonly Fact[], at: Micros): Cutoffs {
  const late = facts
    .map(({ loggedMicros }) => loggedMicros)
    .filter((logged) => logged <= at && logged > at - IN_FLIGHT_MICROS);
  const limits = [...new Set(late)].sort((a, b) => b - a);
  const inFlight = limits.slice(0, MOST_CUTOFFS).map((logged) => ({ limit: logged - 1, isInFlight: true }));
  return { cutoffs: [{ limit: at, isInFlight: false }, ...inFlight], isWhole: limits.length <= MOST_CUTOFFS };
}

/** A base holds what is known only later where it says so; what was pushed since lies beside it. */
function hasArrived({ loggedMicros, knownMicros }: Fact, run: RunRow | null, limit: Micros): boolean {
  if (loggedMicros > limit) return false;
  const isOfBase = run !== null && loggedMicros < run.askedMicros;
  return !isOfBase || run.carriesWaiting || knownMicros <= run.asOf;
}

function combinations(reads: readonly (readonly ReadCandidate[])[]): { read: RowReads; isInFlight: boolean }[] {
  const nothing: ReadCandidate = { values: undefined, isInFlight: false };
  let all: { read: RowReads; isInFlight: boolean }[] = [{ read: [], isInFlight: false }];
  for (const candidates of reads) {
    const some = candidates.length === 0 ? [nothing] : candidates;
    all = all
      .flatMap(({ read, isInFlight }) =>
        some.map((one) => ({ read: [...read, one.values], isInFlight: isInFlight || one.isInFlight })),
      )
      .slice(0, MOST_COMBINATIONS);
  }
  return all;
}
