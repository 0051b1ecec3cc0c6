// One run over an endpoint's log: each window that is over is counted once, again where more of it has come, and what was found
// is told to the alerts.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type Clock, floorTo, type Micros, MICROS_PER_DAY, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { DuckDb } from '../../storage/index.ts';
import type { Alerts } from '../alerts/alert.ts';
import { firstWindowsReference, loggedOutputs, trainingReference } from './arm-references.ts';
import { countLoaded, type LoggedArm, type LoggedColumn, loadRows, loggedSlots } from './count-window.ts';
import type { DriftStore, StoredWindow, WatchedKind } from './drift-store.ts';
import { planWindows, type Slot, type Window } from './plan-windows.ts';
import type { Reference } from './reference.ts';
import { tellDrift } from './tell-drift.ts';
import type { WatchedEndpoint, WatchedFeature, WatchedVersion } from './watched.ts';
import { withLog } from '../prediction-log/with-log.ts';

export interface DriftDeps {
  readonly store: DriftStore;
  readonly duckdb: DuckDb;
  /** The prediction log's. */
  readonly directory: string;
  readonly alerts: Pick<Alerts, 'observe'>;
  /** Of one window: an hour or a day. */
  readonly size: Micros;
  readonly clock: Clock;
  version(arm: LoggedArm): Promise<WatchedVersion>;
}

export interface DriftRun {
  /** Windows that were counted, of features and of outputs. */
  readonly counted: number;
  /** What has come of the window that is not over; it is kept nowhere. */
  readonly underWay: readonly StoredWindow[];
}

/** How long after its end a window is taken for whole. */
const GRACE_MICROS = 2 * MICROS_PER_MINUTE;
/** Windows so old are looked at again for rows that came late. */
const LOOK_BACK_MICROS = 2 * MICROS_PER_DAY;
/** Of an endpoint that was not looked at before. */
const FIRST_LOOK_MICROS = 7 * MICROS_PER_DAY;
const LONGEST_WAIT_MICROS = 31 * MICROS_PER_DAY;

/** `isNow`: the window under way is counted, too. */
export async function runDrift(
  deps: DriftDeps,
  endpoint: WatchedEndpoint,
  { signal, isNow = false }: { readonly signal: AbortSignal; readonly isNow?: boolean },
): Promise<DriftRun> {
  const { store, size, clock } = deps;
  const now = clock.nowMicros();
  const end = floorTo(now - GRACE_MICROS, size);
  await store.forget(now);
  const from = await firstToLookAt(deps, endpoint.name, end);
  const range = { from, to: isNow ? now : end, endpoint: endpoint.name };
  const counted: StoredWindow[] = [];
  const underWay: StoredWindow[] = [];
  await withLog(deps.duckdb, { ...range, directory: deps.directory }, async (connection, log) => {
    await connection.run(`CREATE TEMP VIEW predictions AS ${log.predictions}`);
    counted.length = underWay.length = 0;
    for (const { arm, slots } of await loggedSlots(connection, size, endpoint.hasUnits)) {
      if (signal.aborted) return;
      const run = { deps, connection, endpoint, arm, slots, end, now, signal };
      const found = await runArm(run);
      counted.push(...found.counted);
      underWay.push(...found.underWay);
    }
  });
  await tellDrift(deps, endpoint.name, counted);
  return { counted: new Set(counted.map((one) => `${keyOf(one.arm)} ${one.kind} ${one.from}`)).size, underWay };
}

async function firstToLookAt({ store, size }: DriftDeps, endpoint: string, end: Micros): Promise<Micros> {
  const arms = await store.arms(endpoint, size);
  if (arms.length === 0) return end - FIRST_LOOK_MICROS;
  const lastRun = Math.max(...arms.map(({ checkedMicros }) => checkedMicros));
  let from = Math.min(lastRun, end - Math.max(LOOK_BACK_MICROS, 2 * size));
  for (const { seenMicros, checkedMicros, waitingRows, lacks } of arms) {
    // An arm that was silent by then waits for nothing.
    if (seenMicros < lastRun - LOOK_BACK_MICROS) continue;
    if (lacks !== null) from = Math.min(from, end - FIRST_LOOK_MICROS);
    // Where rows wait, it was checked up to where they begin.
    if (waitingRows > 0) from = Math.min(from, checkedMicros);
  }
  return Math.max(from, end - LONGEST_WAIT_MICROS);
}

interface ArmRun {
  readonly deps: DriftDeps;
  readonly connection: DuckDBConnection;
  readonly endpoint: WatchedEndpoint;
  readonly arm: LoggedArm;
  readonly slots: readonly Slot[];
  readonly end: Micros;
  readonly now: Micros;
  readonly signal: AbortSignal;
}

const COLUMN: Readonly<Record<WatchedKind, LoggedColumn>> = { feature: 'features', output: 'outputs' };

async function runArm(run: ArmRun): Promise<{ counted: StoredWindow[]; underWay: StoredWindow[] }> {
  const { deps, connection, endpoint, arm, slots, end, now } = run;
  const { store, size } = deps;
  const version = await deps.version(arm);
  const over = slots.filter(({ from }) => from + size <= end);
  const rest = slots.filter(({ from }) => from + size > end);
  const stored = await store.windows(endpoint.name, size, (slots[0]?.from ?? now) - LONGEST_WAIT_MICROS, arm);
  const counted: StoredWindow[] = [];
  const underWay: StoredWindow[] = [];
  let lacks = version.lacks;
  let checked = end;
  let waitingRows = 0;
  const features = { feature: version.features, output: await loggedOutputs(connection, arm) };
  for (const kind of ['feature', 'output'] as const) {
    const own = onePerWindow(stored.filter((one) => one.kind === kind));
    const training =
      kind === 'feature' && version.trainingSet !== null
        ? await trainingReference(connection, store, { ...version, trainingSet: version.trainingSet }, now)
        : undefined;
    if (typeof training === 'string') lacks = training;
    if (features[kind].length === 0) continue;
    const first = {
      endpoint: endpoint.name,
      arm,
      size,
      hasUnits: endpoint.hasUnits,
      column: COLUMN[kind],
      features: features[kind],
    };
    const reference =
      typeof training === 'object'
        ? training
        : await firstWindowsReference(connection, store, first, planWindows(over, size).windows, now);
    if (reference === undefined) {
      lacks ??= `its ${COLUMN[kind]} have had too few windows to be held against the first of them`;
      continue;
    }
    const cursor = Math.max(own.at(-1)?.to ?? -Infinity, reference.untilMicros ?? -Infinity);
    const { windows, waiting } = planWindows(
      over.filter(({ from }) => from >= cursor),
      size,
    );
    const grown = own.filter((window) => hasMore(window, over));
    for (const window of [...grown, ...windows]) {
      if (run.signal.aborted) return { counted, underWay };
      const found = await countWindow(run, kind, window, reference, features[kind]);
      await store.saveWindow(endpoint.name, size, found);
      counted.push(...found);
    }
    if (rest.length > 0) {
      const so = rest.filter(({ from }) => from >= cursor);
      const open = planWindows(
        waiting === null ? so : [...over.filter((slot) => slot.from >= waiting.from), ...so],
        size,
      );
      for (const window of open.windows)
        underWay.push(...(await countWindow(run, kind, window, reference, features[kind])));
    }
    if (kind === 'feature' || version.features.length === 0) {
      waitingRows = waiting?.rows ?? 0;
      checked = waiting?.from ?? end;
    }
  }
  const lastSlot = over.at(-1);
  await store.saveArm(endpoint.name, size, {
    ...arm,
    reference: version.trainingSet?.id ?? null,
    lacks,
    checkedMicros: checked,
    seenMicros: lastSlot === undefined ? 0 : lastSlot.from + size,
    waitingRows,
  });
  return { counted, underWay };
}

const keyOf = ({ variant, model, version }: LoggedArm): string => `${variant} ${model} ${version}`;

function onePerWindow(windows: readonly StoredWindow[]): StoredWindow[] {
  return [...new Map(windows.map((window) => [window.from, window])).values()];
}

/** Whether the log has more of a window by now than when it was counted; what retention took makes it less. */
function hasMore({ from, to, rows }: Window, slots: readonly Slot[]): boolean {
  const there = slots.filter((slot) => slot.from >= from && slot.from < to);
  return there.reduce((sum, slot) => sum + slot.rows, 0) > rows;
}

async function countWindow(
  { deps, connection, endpoint, arm, slots }: ArmRun,
  kind: WatchedKind,
  { from, to }: Window,
  reference: Reference,
  features: readonly WatchedFeature[],
): Promise<StoredWindow[]> {
  const { size } = deps;
  const there = slots.filter((slot) => slot.from >= from && slot.from < to);
  const rows = there.reduce((sum, slot) => sum + slot.rows, 0);
  const watched = reference.features.filter(({ name }) => features.some((feature) => feature.name === name));
  const names = { features: [], outputs: [], [COLUMN[kind]]: watched.map(({ name }) => name) };
  const { units } = await loadRows(connection, arm, { from, to }, names, { hasUnits: endpoint.hasUnits, size, rows });
  const found: StoredWindow[] = [];
  for (const [place, feature] of watched.entries()) {
    const counts = await countLoaded(connection, COLUMN[kind], place, feature);
    found.push({ arm, kind, feature: feature.name, reference: reference.id, from, to, rows, units, counts });
  }
  return found;
}
