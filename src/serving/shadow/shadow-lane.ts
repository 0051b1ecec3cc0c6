// The way of one shadow's rows: noted when they are answered, held in a ring until they may run, run as batches one after the
// other, compared. It ends with the plan that it is of.

import { type HeadraceError, type Micros, type Scope, toHeadraceError } from '../../core/index.ts';
import type { ShadowDrop } from '../../monitoring/index.ts';
import type { AnsweredRow, ArmRow } from '../arm.ts';
import type { Deadlines, Stage } from '../deadlines.ts';
import type { FeatureRow } from '../feature-plan.ts';
import type { RequestRow } from '../row-parser.ts';
import type { CompareOutputs } from './compare-outputs.ts';
import type { ShadowArm } from './shadow-arm.ts';
import { createRing } from './shadow-ring.ts';

/** An answered row, and what its shadow needs of it. */
export interface ShadowedRow {
  /** Of the prediction. */
  readonly id: string;
  readonly request: RequestRow;
  readonly answered: AnsweredRow;
  readonly unit: readonly string[];
  /** Whether the answer's features are those that the shadow would read. */
  readonly sharesFeatures: boolean;
  readonly compare: CompareOutputs;
  readonly of: ShadowedRequest;
}

/** What the rows of one request have in common. */
export interface ShadowedRequest {
  readonly requestId: string;
  readonly traceId: string | null;
  readonly at: Micros;
  readonly latencyMicros: number;
  /** Later than this nobody runs it. */
  readonly expiresMs: number;
}

export interface ShadowLane {
  /** Rows that wait, while no batch runs. */
  readonly isReady: boolean;
  offer(row: ShadowedRow): void;
  /** Drops what has waited too long; `held`: what keeps it from running now. */
  expire(nowMs: number, held: ShadowDrop | undefined): void;
  /**
   * Runs the next batch. Gives what the run takes, by the estimate, in microseconds; `ended` is called once it is compared, with
   * what it took beyond that.
   */
  start(nowMs: number, ended: (moreMicros: number) => void): number;
  /** Drops what waits, and takes nothing more; resolves once no batch runs. */
  end(reason: ShadowDrop): Promise<void>;
}

export interface ShadowLaneDeps {
  readonly deadlines: Pick<Deadlines, 'race'>;
  readonly nowMs: () => number;
  readonly scopeOf: (deadlineMs: number) => Scope;
}

const MOST_BATCH_ROWS = 64;
/** A batch takes no longer, by the estimate, or twice what a run takes whatever it has. */
const LONGEST_RUN_MICROS = 4000;

export function createShadowLane(arm: ShadowArm, { deadlines, nowMs, scopeOf }: ShadowLaneDeps): ShadowLane {
  const { meter, log, version } = arm;
  const ring = createRing<ShadowedRow>();
  let running: Promise<void> | undefined;
  let ended: ShadowDrop | undefined;
  let lastHeld: ShadowDrop = 'late';

  const takeBatch = (): ShadowedRow[] => {
    const first = ring.shift();
    if (first === undefined) return [];
    const fixedMicros = arm.runMicros(0);
    const rowMicros = Math.max(arm.runMicros(1) - fixedMicros, 0.1);
    const affordable = Math.floor((Math.max(LONGEST_RUN_MICROS, 2 * fixedMicros) - fixedMicros) / rowMicros);
    const most = Math.max(1, Math.min(MOST_BATCH_ROWS, affordable));
    const batch = [first];
    while (batch.length < most) {
      const next = ring.first;
      // What has to be read is read as of one time.
      const fits = next !== undefined && next.sharesFeatures === first.sharesFeatures;
      if (!fits || (!next.sharesFeatures && next.of.at !== first.of.at)) break;
      batch.push(next);
      ring.shift();
    }
    return batch;
  };

  const runBatch = (batch: readonly ShadowedRow[]): Promise<readonly ArmRow[]> | readonly ArmRow[] => {
    const [first] = batch as [ShadowedRow];
    const { at, expiresMs } = first.of;
    const scope = scopeOf(expiresMs);
    const stage: Stage = { now: 'the shadow ran', rows: batch.length };
    const run = first.sharesFeatures
      ? arm.infer(batch.map(featuresOf), scope)
      : arm.run(
          batch.map(({ request }) => request),
          scope,
          at,
          stage,
        );
    return run instanceof Promise ? deadlines.race(run, scope, stage) : run;
  };

  const fail = ({ code }: HeadraceError): void => {
    const reason = code === 'HR_CANCELLED' ? (ended ?? 'stopping') : DROPS.get(code);
    if (reason === undefined) meter.failed(code, 1);
    else meter.dropped(reason, 1);
  };

  const settle = (batch: readonly ShadowedRow[], rows: readonly ArmRow[], tookMicros: number): void => {
    for (let i = 0; i < batch.length; i++) {
      const row = batch[i] as ShadowedRow;
      const shadowed = rows[i] as ArmRow;
      if (shadowed.error !== undefined) {
        fail(shadowed.error);
        continue;
      }
      const { of, id, request, unit } = row;
      meter.pair(row.compare(row.answered.outputs, shadowed.outputs), of.latencyMicros, tookMicros);
      const { features, statuses, outputs } = shadowed;
      log.append({
        predictionId: `${id}~${version}`,
        requestId: of.requestId,
        traceId: of.traceId,
        atMicros: of.at,
        latencyMicros: tookMicros,
        unit,
        // What it was assigned is told of what was answered.
        route: null,
        experimentUnit: null,
        unitHash: 0,
        request,
        features,
        statuses,
        outputs,
      });
    }
  };

  /** Gives what it took, but for `expectedMicros` of the model's run. */
  const run = async (batch: readonly ShadowedRow[], startMs: number, expectedMicros: number): Promise<number> => {
    let busyMs = 0;
    let isGivenUp = false;
    const beforeMicros = arm.busyMicros();
    try {
      const work = runBatch(batch);
      busyMs = nowMs() - startMs;
      const rows = work instanceof Promise ? await work : work;
      const endMs = nowMs();
      settle(batch, rows, Math.round((endMs - startMs) * 1000));
      busyMs += nowMs() - endMs;
    } catch (thrown) {
      const error = toHeadraceError(thrown);
      isGivenUp = error.code === 'HR_DEADLINE';
      for (let i = 0; i < batch.length; i++) fail(error);
    }
    // One that nobody waits for any more may have computed all the time; others' runs of the model took none of this one's.
    const passedMicros = (nowMs() - startMs) * 1000;
    const ranMicros = isGivenUp ? passedMicros : Math.min(passedMicros, arm.busyMicros() - beforeMicros);
    return busyMs * 1000 + Math.max(0, ranMicros - expectedMicros);
  };

  const dropFirst = (reason: ShadowDrop): void => {
    if (ring.shift() !== undefined) meter.dropped(reason, 1);
  };

  return {
    get isReady() {
      return running === undefined && ring.length > 0;
    },
    offer(row) {
      if (ended !== undefined) meter.dropped(ended, 1);
      else if (!ring.push(row)) meter.dropped('full', 1);
    },
    expire(atMs, held) {
      if (held !== undefined) lastHeld = held;
      while (ring.first !== undefined && ring.first.of.expiresMs <= atMs) dropFirst(lastHeld);
    },
    start(atMs, tellEnd) {
      lastHeld = 'late';
      const batch = takeBatch();
      if (batch.length === 0) return 0;
      const expectedMicros = arm.runMicros(batch.length);
      running = run(batch, atMs, expectedMicros).then((moreMicros) => {
        running = undefined;
        tellEnd(moreMicros);
      });
      return expectedMicros;
    },
    async end(reason) {
      ended ??= reason;
      while (ring.length > 0) dropFirst(reason);
      await running;
    },
  };
}

/** What the model tells a row that it does not run. */
const DROPS: ReadonlyMap<HeadraceError['code'], ShadowDrop> = new Map([
  ['HR_DEADLINE', 'late'],
  ['HR_OVERLOADED', 'refused'],
  ['HR_MODEL_NOT_READY', 'retired'],
  ['HR_STOPPING', 'stopping'],
]);

// What they came from is known no more; it would only tell an unknown key from a null.
const featuresOf = ({ answered: { features, statuses } }: ShadowedRow): FeatureRow => ({
  values: features,
  statuses,
  reads: [],
});
