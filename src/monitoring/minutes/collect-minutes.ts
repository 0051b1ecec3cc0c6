// What one server counts by the minute, of each arm, endpoint and service: series are handed out beforehand, and rows are taken
// now and then by whoever writes them.

import { type Micros, MICROS_PER_MINUTE, readPredictionId } from '../../core/index.ts';
import type { PackedMinute } from './minute-cell.ts';
import { createKnownBudget } from './known-units.ts';
import type { SeriesId } from './minute-row.ts';
import { createSeries, type MinuteTime, type Series } from './series.ts';
import { createToldOutcomes, type ToldOutcomes } from './told-outcomes.ts';

export interface ArmSeriesId extends Pick<SeriesId, 'endpoint' | 'variant' | 'version' | 'arm' | 'revision'> {
  /** Whether its units are kept: the endpoint has several arms, or a rollout. */
  readonly hasUnits: boolean;
}

export interface MinuteCollector {
  /** Reads the clock: once before something is counted. */
  tick(): void;
  /** The same for the same arm, version and revision. Get it once and keep it. */
  arm(id: ArmSeriesId): Series;
  /** Whole requests. Get it once and keep it. */
  endpoint(name: string): Series;
  service(name: string): Series;
  /**
   * What became of a prediction, by what its id tells; undefined: nothing that is a number, true or false, as is a number past
   * 1e100. Told again it counts nothing; another counts in place of the one before, in the minute in which it is told, while that
   * is remembered (`createToldOutcomes`). A unit that had an event keeps it.
   */
  outcome(endpoint: string, predictionId: string, value: number | undefined): void;
  /** One that names a unit: which prediction it is of only the log can tell, so it is no arm's, and counted as such. */
  outcomeOfUnit(endpoint: string): void;
  /** By endpoint; those that are not named have none. */
  setSlowLimits(micros: ReadonlyMap<string, number>): void;
  /** The endpoints that have a rollout now. */
  setRollouts(endpoints: readonly string[]): void;
  /** Whether an endpoint has a rollout, so that its minutes are wanted each second. */
  hasRollout(): boolean;
  /** What changed since it was last taken, as whole rows: of all, or of those endpoints that have a rollout. */
  take(which: 'all' | 'rollouts'): readonly PackedMinute[];
}

/** Ids are made by whoever sends them: of an endpoint, so many revisions' outcomes are told apart in the same minutes. */
const MOST_OUTCOMES = 100;
/** Greater ones count as nothing that is a number: sums of squares of all others are finite, and stay so when they are corrected. */
const GREATEST_OUTCOME = 1e100;
/** Longer than any that a server makes. */
const MOST_ID = 100;
/**
 * Series of an endpoint that are kept. A plan may hold one for long, and be compiled again: a second of the same arm and revision
 * would write over the first one's minute.
 */
const MOST_ARMS = 300;
/** A series of an earlier revision that has counted nothing for so long needs little memory. */
const IDLE_MICROS = 5 * MICROS_PER_MINUTE;

/** `now`: by the clock that all servers share. */
export function createMinuteCollector(now: () => Micros, told: ToldOutcomes = createToldOutcomes()): MinuteCollector {
  const endpoints = new Map<string, Map<string, Series>>();
  const whole = new Map<string, Series>();
  const outcomes = new Map<string, Map<string, Series>>();
  let rollouts: ReadonlySet<string> = new Set();
  let slowLimits: ReadonlyMap<string, number> = new Map();
  let changed: Series[] = [];
  const time: MinuteTime = {
    nowMicros: now(),
    latest: -Infinity,
    known: createKnownBudget(),
    turn: 0,
    changed: (series) => void changed.push(series),
  };
  const tick = (): void => {
    time.nowMicros = now();
  };

  const wholeOf = (kind: 'endpoint' | 'service', endpoint: string): Series => {
    const key = JSON.stringify([kind, endpoint]);
    const series = whole.get(key) ?? createSeries({ ...NO_ARM, kind, endpoint }, time);
    whole.set(key, series);
    return series;
  };
  /** Undefined where too many revisions are told of at once. */
  const outcomesOf = (
    endpoint: string,
    { revision, version }: { readonly revision: number; readonly version: number },
  ): Series | undefined => {
    tick();
    const ofEndpoint = outcomes.get(endpoint) ?? new Map<string, Series>();
    outcomes.set(endpoint, ofEndpoint);
    const key = `${revision}.${version}`;
    const known = ofEndpoint.get(key);
    if (known !== undefined) return known;
    if (ofEndpoint.size >= MOST_OUTCOMES)
      for (const [one, other] of ofEndpoint) {
        if (!isIdle(other)) continue;
        other.rest();
        ofEndpoint.delete(one);
      }
    if (ofEndpoint.size >= MOST_OUTCOMES) return undefined;
    const series = createSeries({ ...NO_ARM, kind: 'outcome', endpoint, version, revision }, time);
    series.hasUnits = true;
    ofEndpoint.set(key, series);
    return series;
  };
  const isIdle = (series: Series): boolean => series.minute() < time.nowMicros - IDLE_MICROS;

  return {
    tick,
    arm({ endpoint, variant, version, arm, revision, hasUnits }) {
      tick();
      const ofEndpoint = endpoints.get(endpoint) ?? new Map<string, Series>();
      endpoints.set(endpoint, ofEndpoint);
      for (const [key, series] of ofEndpoint) {
        if (series.id.revision >= revision || !isIdle(series)) continue;
        series.rest();
        if (ofEndpoint.size >= MOST_ARMS) ofEndpoint.delete(key);
      }
      const key = JSON.stringify([variant, version, arm, revision]);
      const series =
        ofEndpoint.get(key) ?? createSeries({ kind: 'arm', endpoint, variant, version, arm, revision }, time);
      ofEndpoint.set(key, series);
      series.hasUnits = hasUnits;
      series.slowMicros = slowLimits.get(endpoint) ?? null;
      return series;
    },
    endpoint: (name) => wholeOf('endpoint', name),
    service: (name) => wholeOf('service', name),
    outcome(endpoint, predictionId, given) {
      const value = given !== undefined && Math.abs(given) <= GREATEST_OUTCOME ? given : undefined;
      const prediction = predictionId.length > MOST_ID ? undefined : readPredictionId(predictionId);
      // Of no unit: nothing that could be compared.
      if (prediction === undefined || prediction.unitHash === 0) return;
      const series = outcomesOf(endpoint, prediction);
      // Too many revisions: it counts nothing, so it is nothing that could be corrected.
      if (series === undefined) return;
      const before = told.tell(endpoint, predictionId, value);
      if (value !== before) series.outcome(prediction.unitHash, value, before);
    },
    outcomeOfUnit(endpoint) {
      outcomesOf(endpoint, NO_ARM)?.outcome(0, 0);
    },
    setSlowLimits(micros) {
      slowLimits = micros;
      for (const [endpoint, ofEndpoint] of endpoints)
        for (const series of ofEndpoint.values()) series.slowMicros = micros.get(endpoint) ?? null;
    },
    setRollouts(names) {
      rollouts = new Set(names);
    },
    hasRollout: () => rollouts.size > 0,
    take(which) {
      const taken: PackedMinute[] = [];
      const left: Series[] = [];
      for (const series of changed) {
        if (which === 'all' || rollouts.has(series.id.endpoint)) taken.push(...series.take());
        else left.push(series);
      }
      changed = left;
      return taken;
    },
  };
}

const NO_ARM = { variant: '', version: 0, arm: '', revision: 0 };
