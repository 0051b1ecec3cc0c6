// The smoke inference at load, in the thread that opened the model: measures what a run costs, and finds out whether rows of
// different callers may share one. A file is not refused because it fails on rows of our making: what is not known then is said.

import type { KnownRows, RowsVerdict } from '../../core/index.ts';
import type { BatchMode } from '../queue/model-queue.ts';
import { rowBytes, rowShapesOf } from '../row-shapes.ts';
import type { Signature, Tensor } from '../tensor.ts';
import { ENOUGH_BYTES, judgeRows, ON_CPU, ON_DEVICES } from './judge-rows.ts';
import { equalRows, madeRows, type RowKind } from './made-rows.ts';
import { asNoRoom, type OrtSession, toOrt } from './ort-session.ts';

export interface Measured {
  readonly mode: BatchMode;
  /** What our own rows have shown; `unknown`, too, where nothing was tried. */
  readonly rowsVerdict: RowsVerdict;
  readonly fixedMicros: number;
  readonly rowMicros: number;
  /** False when no row of our making ran: what a run costs is not known then. */
  readonly isMeasured: boolean;
}

const RUNS = 5;
/** A slow model is not run so often that the measure costs more than this. */
const ENOUGH_MS = 200;
const BATCH_ROWS = 32;
/** Rows that are tried together, and those of a model one run of which takes longer than `SLOW_MS`. */
const [JUDGED_ROWS, JUDGED_SLOW_ROWS, SLOW_MS] = [6, 2, 500];
/** Rows that were shown to be independent are tried no further after this; where nothing is shown, after the other. */
const [SHOWN_MS, UNSHOWN_MS] = [2000, 10_000];
/** Of sizes that the signature leaves open, beside the number of rows. */
const LENGTHS = [2, 5];
const KINDS: readonly RowKind[] = ['tame', 'wide', 'small'];

export interface Measuring {
  /** Called after the first run, where one succeeds. */
  readonly ranOnce: () => void;
  /** It runs on more than the CPU: it compiles for each size of batch, and answers by other sums for each. */
  readonly isOnDevice: boolean;
  readonly known?: KnownRows | undefined;
}

/** Throws HR_OVERLOADED without memory for the model. */
export function measureModel(session: OrtSession, { ranOnce, isOnDevice, known }: Measuring): Measured {
  const { signature } = session;
  const make = rowsThatRun(session);
  if (make !== undefined) ranOnce();
  const oneMs = make && unlessItFails(() => timeRuns(session, make(1), isOnDevice));
  const isTried = mayJoin(signature) && (known === undefined || known === 'shown');
  const rowsVerdict = isTried ? judgeMade(session, isOnDevice, oneMs ?? 0) : 'unknown';
  const mode = modeOf(signature, known, rowsVerdict);
  if (make === undefined || oneMs === undefined)
    return { mode, rowsVerdict, fixedMicros: 0, rowMicros: 0, isMeasured: false };
  const rowMicros = mode === 'rowwise' ? 0 : rowCost(session, make, oneMs, isOnDevice) * 1000;
  return { mode, rowsVerdict, fixedMicros: Math.max(oneMs * 1000 - rowMicros, 0), rowMicros, isMeasured: true };
}

/** `verdict`: what rows of this loader have shown. What is not shown is not so: each request runs alone. */
export function modeOf(signature: Signature, known: KnownRows | undefined, verdict: RowsVerdict): BatchMode {
  const { inputs } = signature;
  if (inputs.length > 0 && inputs.every(({ shape }) => shape[0] === 1)) return 'rowwise';
  if (!mayJoin(signature) || known === 'dependent') return 'single';
  if (known === 'said') return 'joined';
  if (verdict === 'dependent') return 'single';
  return known === 'shown' || verdict === 'independent' ? 'joined' : 'single';
}

/** Whether its inputs take any number of rows. */
export function mayJoin({ inputs }: Signature): boolean {
  return inputs.length > 0 && inputs.every(({ shape }) => shape[0] === null);
}

/** Of two sets of rows: what one of them shows to be dependent is so, whatever the other shows. */
export function bothVerdicts(one: RowsVerdict, other: RowsVerdict): RowsVerdict {
  const both = [one, other];
  return both.find((verdict) => verdict === 'dependent') ?? both.find((verdict) => verdict !== 'unknown') ?? 'unknown';
}

type MakeRows = (rows: number) => Tensor[];

/** The first rows of our making that the model takes, once it has run on one; undefined where it takes none. */
function rowsThatRun(session: OrtSession): MakeRows | undefined {
  const { signature } = session;
  const made =
    (kind: RowKind, length: number): MakeRows =>
    (rows) =>
      madeRows(signature, { kind, rows, length });
  // Ones first: there are operators that divide by a whole number unseen, and end the process where it is 0.
  const equal =
    (number: 0 | 1): MakeRows =>
    (rows) =>
      equalRows(signature, number, rows);
  const all: MakeRows[] = [equal(1), equal(0), made('small', 1), made('tame', 1)];
  if (isOpen(signature)) for (const length of LENGTHS) all.push(made('small', length), made('tame', length));
  return all.find((make) => unlessItFails(() => session.run(make(1).map(toOrt))) !== undefined);
}

/** Undefined where the model fails; throws HR_OVERLOADED without memory, which says nothing of the file. */
function unlessItFails<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (thrown) {
    const full = asNoRoom(thrown);
    if (full !== undefined) throw full;
    return undefined;
  }
}

function isOpen({ inputs }: Signature): boolean {
  return inputs.some(({ shape }) => shape.slice(1).includes(null));
}

/** How many rows are tried together where one run takes so long. */
export function judgedRows(oneMs: number): number {
  return oneMs > SLOW_MS ? JUDGED_SLOW_ROWS : JUDGED_ROWS;
}

function judgeMade(session: OrtSession, isOnDevice: boolean, oneMs: number): RowsVerdict {
  const { signature } = session;
  const most = batchRows(signature, oneMs);
  const rows = Math.min(judgedRows(oneMs), Math.max(2, mostBySize(signature)));
  const beganMs = performance.now();
  let shown: RowsVerdict = 'unknown';
  for (const kind of KINDS) {
    // What others could not show, small rows may.
    if (kind === 'small' && shown === 'independent') break;
    for (const length of isOpen(signature) ? LENGTHS : [1]) {
      if (performance.now() - beganMs > (shown === 'independent' ? SHOWN_MS : UNSHOWN_MS)) return shown;
      const batch = madeRows(signature, { kind, rows, length });
      const verdict = judgeUnlessLarge(kind, () => judgeRows(session, batch, isOnDevice ? ON_DEVICES : ON_CPU, most));
      if (verdict === 'dependent') return verdict;
      shown = bothVerdicts(shown, verdict);
    }
  }
  return shown;
}

/** Numbers of a wide row may be sizes that nobody asks for: where memory does not do for those, they show nothing. */
function judgeUnlessLarge(kind: RowKind, judge: () => RowsVerdict): RowsVerdict {
  try {
    return judge();
  } catch (thrown) {
    if (kind !== 'wide') throw thrown;
    return 'unknown';
  }
}

// What each row adds, from a batch beside one row; a model that takes no batch of ours costs the same for any.
function rowCost(session: OrtSession, make: MakeRows, oneMs: number, warmsUp: boolean): number {
  const { signature } = session;
  if (signature.inputs.some(({ shape }) => shape[0] !== null)) return 0;
  const rows = batchRows(signature, oneMs);
  try {
    return Math.min(oneMs, Math.max(0, (timeRuns(session, make(rows), warmsUp) - oneMs) / (rows - 1)));
  } catch {
    return 0;
  }
}

/** Rows of the largest batch that is tried. */
function batchRows(signature: Signature, oneMs: number): number {
  const byTime = Math.floor(ENOUGH_MS / Math.max(oneMs, 0.001));
  return Math.max(2, Math.min(BATCH_ROWS, byTime, mostBySize(signature)));
}

function mostBySize(signature: Signature): number {
  return Math.floor(ENOUGH_BYTES / Math.max(rowBytes(signature, rowShapesOf(signature)), 1));
}

// The shortest of several runs: whatever else the machine does only adds. `warmsUp`: after one that is not timed.
function timeRuns(session: OrtSession, rows: readonly Tensor[], warmsUp: boolean): number {
  const inputs = rows.map(toOrt);
  if (warmsUp) session.run(inputs);
  const beganMs = performance.now();
  let shortestMs = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const startMs = performance.now();
    session.run(inputs);
    const endMs = performance.now();
    shortestMs = Math.min(shortestMs, endMs - startMs);
    if (endMs - beganMs > ENOUGH_MS) break;
  }
  return shortestMs;
}
