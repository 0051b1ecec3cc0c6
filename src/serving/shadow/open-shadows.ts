// The shadows of one process: what was answered is offered to them once the answer is on its way, and they run only while no
// request is being answered, the event loop is on time, and their share of a core is not used up. Nothing waits for them.

import { type Actor, type Connection, createScope, type Scope, within } from '../../core/index.ts';
import type { ShadowDrop } from '../../monitoring/index.ts';
import type { AnsweredRow, ArmBatch, ArmRow } from '../arm.ts';
import { createDeadlines } from '../deadlines.ts';
import type { RequestRow } from '../row-parser.ts';
import type { CompareOutputs } from './compare-outputs.ts';
import type { ShadowArm } from './shadow-arm.ts';
import { createShadowBudget } from './shadow-budget.ts';
import { createShadowLane, type ShadowLane } from './shadow-lane.ts';

export interface Shadows {
  open(arm: ShadowArm): OpenShadow;
  /** Drops what waits, and waits for what runs, a second at most. */
  close(): Promise<void>;
}

/** One shadow of a plan. */
export interface OpenShadow {
  /** The batch was answered. Takes a moment, whatever the batch is: its rows are looked at when the answer is on its way. */
  note(batch: ArmBatch, pairing: Pairing): void;
  /** From now on nothing of it runs; resolves once nothing does. */
  retire(): Promise<void>;
}

/** What holds for an arm of the variants and the shadow, whichever rows they get. */
export interface Pairing {
  /** Whether a row of a request is of the shadow's share. */
  readonly picks: (row: RequestRow, requestId: string) => boolean;
  readonly sharesFeatures: boolean;
  readonly compare: CompareOutputs;
}

export interface ShadowsDeps {
  /** Requests that are being answered. */
  readonly online: () => number;
  /** Of `performance.now()`; tests give their own. */
  readonly nowMs?: () => number;
  /** Calls once the turn's work is done, or after so long. */
  readonly soon?: (run: () => void) => void;
  readonly later?: (run: () => void, ms: number) => void;
}

/** What has waited so long is dropped, and what runs is not waited for past it. */
export const SHADOW_DEADLINE_MS = 5000;
/** A later event loop has enough to do. */
const MOST_LAG_MS = 5;
const LOOK_AGAIN_MS = 2;
const MOST_WAIT_MS = 100;
const CLOSE_LIMIT_MS = 1000;

interface Note {
  readonly lane: ShadowLane;
  readonly batch: ArmBatch;
  readonly pairing: Pairing;
}

export function openShadows({
  online,
  nowMs = () => performance.now(),
  soon = (run) => void setImmediate(run),
  later = (run, ms) => void setTimeout(run, ms).unref(),
}: ShadowsDeps): Shadows {
  const deadlines = createDeadlines();
  const budget = createShadowBudget(nowMs());
  const lanes = new Set<ShadowLane>();
  const ending: { destroyed: boolean; once: Connection['once'] } = { destroyed: false, once: () => undefined };
  let notes: Note[] = [];
  let isScheduled = false;
  let dueMs = 0;

  const scopeOf = (deadlineMs: number): Scope => createScope({ ...NOBODY, deadlineMs, connection: ending });

  const takeNotes = (): void => {
    const startMs = nowMs();
    const taken = notes;
    notes = [];
    for (const note of taken) offerRows(note, startMs);
    budget.spend((nowMs() - startMs) * 1000);
    schedule(0);
  };

  // By the time that it takes from being due to being called the event loop is late.
  const schedule = (waitMs: number): void => {
    if (isScheduled || ending.destroyed || !anyReady()) return;
    isScheduled = true;
    dueMs = nowMs() + waitMs;
    if (waitMs === 0) soon(pump);
    else later(pump, waitMs);
  };
  const anyReady = (): boolean => {
    for (const lane of lanes) if (lane.isReady) return true;
    return false;
  };

  const whatHolds = (atMs: number): ShadowDrop | undefined => {
    if (online() > 0) return 'busy';
    if (atMs - dueMs >= MOST_LAG_MS) return 'lag';
    return budget.has(atMs) ? undefined : 'budget';
  };

  const pump = (): void => {
    isScheduled = false;
    if (ending.destroyed) return;
    const atMs = nowMs();
    const held = whatHolds(atMs);
    for (const lane of lanes) lane.expire(atMs, held);
    if (held === undefined) {
      startNext(atMs);
      schedule(0);
    } else
      schedule(held === 'budget' ? Math.min(MOST_WAIT_MS, Math.max(LOOK_AGAIN_MS, budget.waitMs())) : LOOK_AGAIN_MS);
  };

  const startNext = (atMs: number): void => {
    for (const lane of lanes) {
      if (!lane.isReady) continue;
      // The others come first next time.
      lanes.delete(lane);
      lanes.add(lane);
      const takesMicros = lane.start(atMs, (moreMicros) => {
        budget.spend(moreMicros);
        schedule(0);
      });
      budget.spend(takesMicros);
      return;
    }
  };

  return {
    open(arm) {
      const lane = createShadowLane(arm, { deadlines, nowMs, scopeOf });
      lanes.add(lane);
      return {
        note(batch, pairing) {
          if (notes.push({ lane, batch, pairing }) === 1) soon(takeNotes);
        },
        async retire() {
          await lane.end('retired');
          lanes.delete(lane);
        },
      };
    },
    async close() {
      ending.destroyed = true;
      takeNotes();
      await within(Promise.all(Array.from(lanes, (lane) => lane.end('stopping'))), CLOSE_LIMIT_MS);
      deadlines.close();
    },
  };
}

const ACTOR: Actor = { name: 'shadow', roles: new Set(), endpoints: null };
const NOBODY = { requestId: 'shadow', traceId: null, actor: ACTOR, priority: 'shadow', span: undefined } as const;

function offerRows({ lane, batch, pairing }: Note, atMs: number): void {
  const { rows, requests, ids, unitOf, scope, at, latencyMicros } = batch;
  const { picks, sharesFeatures, compare } = pairing;
  const { requestId, traceId } = scope;
  const of = { requestId, traceId, at, latencyMicros, expiresMs: atMs + SHADOW_DEADLINE_MS };
  for (let i = 0; i < rows.length; i++) {
    const answered = rows[i] as ArmRow;
    if (answered.error !== undefined) continue;
    const request = requests[i] as RequestRow;
    if (!picks(request, requestId)) continue;
    const unit = unitOf(request);
    lane.offer({
      id: ids[i] as string,
      request,
      answered: answered satisfies AnsweredRow,
      unit,
      sharesFeatures,
      compare,
      of,
    });
  }
}
