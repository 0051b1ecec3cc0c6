// What one process counts: meters for the paths that are watched, and reports of what was counted for whoever owns the totals.

import type { Clock, ErrorCode, Micros } from '../../core/index.ts';
import {
  createShadowTally,
  type ShadowMeter,
  shadowMeter,
  type ShadowOf,
  type ShadowTally,
  takeShadow,
} from '../shadows/shadow-tally.ts';
import { type Cell, createCell } from './cell.ts';
import { type CacheStatistics, createCacheDeltas } from './cache-figures.ts';
import type { CellId, Readings, Taken } from './increment.ts';
import type { MinuteFigures } from '../minutes/write-minutes.ts';
import { watchLoopDelay } from './loop-delay.ts';
import { createModelDeltas, type ModelStatistics } from './model-figures.ts';
import type { BrokenRule } from '../../checks/index.ts';
import { createPushTally, NO_BACKLOG, type PushBacklog, type PushOutcome } from './push-tally.ts';

/** Counts what one arm answers. Get it once and keep it: recording allocates nothing. */
export interface ArmMeter {
  /** A request that rows of this arm were answered for. */
  answered(latencyMicros: number, rows: number): void;
  /**
   * One row's statuses, in the order of the arm's features: NOT_FOUND, OUTSIDE_MAX_AGE and INVALID count as missing. A null
   * that is there, and an empty window, are values.
   */
  statuses(statuses: readonly string[]): void;
  /** Rows that this arm failed. */
  failed(code: ErrorCode, rows: number): void;
  /** Its breaker has opened. */
  broke(): void;
}

/** Counts whole requests of an endpoint. Get it once and keep it: recording allocates nothing. */
export interface EndpointMeter {
  /** A request, and those of its rows that were answered. */
  answered(latencyMicros: number, rows: number): void;
  /** A row of an answered request that failed before it had a variant; what fails after is its variant's. */
  rowFailed(code: ErrorCode): void;
  /** One request that was not answered: refused (4xx of the client), rejected (429) or failed (5xx, 422) by its code. */
  failed(code: ErrorCode): void;
}

/** Counts whole reads of a feature service. */
export type ServiceMeter = Omit<EndpointMeter, 'rowFailed'>;

export interface ArmLabels {
  readonly endpoint: string;
  readonly variant: string;
  readonly model: string;
  readonly version: number;
  /** The arm's id. Arms of one variant and version are counted together. */
  readonly arm: string;
  /** What its rows' statuses stand for. */
  readonly features: readonly string[];
}

/** What the prediction log tells of itself, counted since it was opened. */
export interface LogFigures {
  readonly written: number;
  /** By reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Predictions that are not on disk yet. */
  readonly queued: number;
  /** Memory held for those that wait to be written. */
  readonly queuedBytes: number;
}

const NO_LOG: LogFigures = { written: 0, dropped: {}, queued: 0, queuedBytes: 0 };

export interface Monitor {
  endpoint(name: string): EndpointMeter;
  arm(labels: ArmLabels): ArmMeter;
  service(name: string): ServiceMeter;
  /** Counts what a shadow version of an endpoint made of the rows that it was given, beside what was answered. */
  shadow(of: ShadowOf): ShadowMeter;
  /** Counts a request of somebody who may not ask. */
  turnedAway(code: ErrorCode): void;
  /** Counts units that an SDK says it has given an arm of a flag. */
  exposed(flag: string, arm: string, units: number): void;
  /** Counts a push into a source; `rows` of it were new. */
  recordPush(push: { readonly source: string; readonly outcome: PushOutcome; readonly rows: number }): void;
  /** Counts rows of a push that broke rules of `expect`, whether it was taken or not. */
  recordBroken(source: string, broken: readonly BrokenRule[]): void;
  // From now on what these give is part of what is taken. None of them may throw.
  /** What pushes leave waiting. */
  watchPushes(backlog: () => PushBacklog): void;
  watchLog(figures: () => LogFigures): void;
  /** How rows by the minute get to the database. */
  watchMinutes(figures: () => MinuteFigures): void;
  /** Of each model in memory, once; what it counts after it was told last is lost. */
  watchModels(statistics: () => readonly ModelStatistics[]): void;
  /** Of each endpoint that has a cache, or had one. */
  watchCaches(statistics: () => readonly CacheStatistics[]): void;
  /** Requests that run. */
  watchInFlight(count: () => number): void;
  /** Bytes of request bodies that are held. */
  watchInFlightBytes(count: () => number): void;
  /** Whether this process is ready, and which endpoints it serves as their traffic says. */
  watchHealth(health: () => Pick<Readings, 'isReady' | 'endpoints'>): void;
  /** When the certificate that new connections get ends. */
  watchCertificate(endsMicros: () => Micros | null): void;
  /** What was counted since the last time, and how this process stands. */
  take(): Taken;
  close(): void;
}

export function createMonitor(clock: Clock): Monitor {
  const startMicros = clock.nowMicros();
  const cells = new Map<string, Cell>();
  const pushes = createPushTally();
  const turnedAway = new Map<string, number>();
  const exposures = new Map<string, number>();
  const shadows = new Map<string, ShadowTally>();
  const modelDeltas = createModelDeltas();
  const cacheDeltas = createCacheDeltas();
  const logDeltas = createLogDeltas();
  const loop = watchLoopDelay();
  let minutesDropped = 0;
  const watched = {
    pushes: (): PushBacklog => NO_BACKLOG,
    log: (): LogFigures => NO_LOG,
    minutes: (): MinuteFigures => ({ waiting: 0, dropped: 0 }),
    models: (): readonly ModelStatistics[] => [],
    caches: (): readonly CacheStatistics[] => [],
    inFlight: (): number => 0,
    inFlightBytes: (): number => 0,
    health: (): Pick<Readings, 'isReady' | 'endpoints'> => ({ isReady: false, endpoints: [] }),
    certificateEnds: (): Micros | null => null,
  };

  const cellOf = (id: CellId): Cell => {
    const key = JSON.stringify(id);
    let cell = cells.get(key);
    if (cell === undefined) cells.set(key, (cell = createCell(clock, id)));
    return cell;
  };
  const requestMeter = (kind: 'endpoint' | 'service', name: string): EndpointMeter => {
    const cell = cellOf({ kind, name });
    return { answered: cell.answered, rowFailed: cell.rowFailed, failed: (code) => cell.failed(code, 1) };
  };

  return {
    endpoint: (name) => requestMeter('endpoint', name),
    service: (name) => requestMeter('service', name),
    arm({ endpoint, variant, model, version, features }) {
      const cell = cellOf({ kind: 'arm', name: endpoint, variant, version, model });
      return { answered: cell.answered, failed: cell.failed, broke: cell.broke, statuses: cell.statuses(features) };
    },
    shadow(of) {
      const key = JSON.stringify([of.endpoint, of.version]);
      let tally = shadows.get(key);
      if (tally === undefined) shadows.set(key, (tally = createShadowTally(of)));
      return shadowMeter(tally);
    },
    turnedAway: (code) => void turnedAway.set(code, (turnedAway.get(code) ?? 0) + 1),
    exposed(flag, arm, units) {
      const key = `${flag} ${arm}`;
      exposures.set(key, (exposures.get(key) ?? 0) + units);
    },
    recordPush: ({ source, outcome, rows }) => pushes.count(source, outcome, rows),
    recordBroken: (source, broken) => pushes.countBroken(source, broken),
    watchPushes(backlog) {
      watched.pushes = backlog;
    },
    watchLog(figures) {
      watched.log = figures;
    },
    watchMinutes(figures) {
      watched.minutes = figures;
    },
    watchModels(statistics) {
      watched.models = statistics;
    },
    watchCaches(statistics) {
      watched.caches = statistics;
    },
    watchInFlight(count) {
      watched.inFlight = count;
    },
    watchInFlightBytes(count) {
      watched.inFlightBytes = count;
    },
    watchHealth(health) {
      watched.health = health;
    },
    watchCertificate(endsMicros) {
      watched.certificateEnds = endsMicros;
    },
    take() {
      const models = watched.models();
      const caches = watched.caches();
      const log = watched.log();
      const minutes = watched.minutes();
      const newlyDropped = minutes.dropped - minutesDropped;
      minutesDropped = minutes.dropped;
      const turned = [...turnedAway];
      turnedAway.clear();
      const exposed = [...exposures];
      exposures.clear();
      const { rss, heapUsed } = process.memoryUsage();
      return {
        increment: {
          cells: [...cells.values()].flatMap((cell) => cell.take() ?? []),
          pushes: pushes.take(),
          turnedAway: turned,
          exposures: exposed,
          ...logDeltas(log),
          minutesDropped: newlyDropped,
          models: modelDeltas(models),
          shadows: [...shadows.values()].flatMap((tally) => takeShadow(tally) ?? []),
          caches: cacheDeltas(caches),
        },
        readings: {
          residentBytes: rss,
          heapUsedBytes: heapUsed,
          startMicros,
          ...watched.health(),
          inFlight: watched.inFlight(),
          inFlightBytes: watched.inFlightBytes(),
          ...loop.read(),
          logQueued: log.queued,
          logQueuedBytes: log.queuedBytes,
          minutesWaiting: minutes.waiting,
          backlog: watched.pushes(),
          certificateEndsMicros: watched.certificateEnds(),
          models: models.map(({ model, version, queuedRows, memoryBytes, nodesByProvider }) => ({
            model,
            version,
            queuedRows,
            memoryBytes,
            nodesByProvider,
          })),
          caches: caches.map(({ endpoint, entries, bytes }) => ({ endpoint, entries, bytes })),
        },
      };
    },
    close: () => loop.stop(),
  };
}

function createLogDeltas(): (now: LogFigures) => Pick<Taken['increment'], 'logWritten' | 'logDropped'> {
  let before = NO_LOG;
  return (now) => {
    const logWritten = now.written - before.written;
    const logDropped = Object.entries(now.dropped).map(
      ([reason, count]) => [reason, count - (before.dropped[reason] ?? 0)] as const,
    );
    before = now;
    return { logWritten, logDropped };
  };
}
