// The smoke inference at load, in the thread that opened the model: proves that it runs, measures what a run costs, and
// finds out whether rows may share a batch.

import { HeadraceError, messageOf } from '../../core/index.ts';
import type { Signature, Tensor, TensorSpec } from '../tensor.ts';
import type { BatchMode } from '../queue/model-queue.ts';
import { rowBytes, rowShapesOf, widthOf } from '../row-shapes.ts';
import { arrayOf, isText } from '../tensor-arrays.ts';
import { toHalf } from '../binding/half.ts';
import { asNoRoom, type OrtSession, toOrt } from './ort-session.ts';

export interface Measured {
  readonly mode: BatchMode;
  readonly fixedMicros: number;
  readonly rowMicros: number;
  /** False when no row of our making ran: nothing is known then. */
  readonly isMeasured: boolean;
}

const RUNS = 5;
/** A slow model is not run so often that the measure costs more than this. */
const ENOUGH_MS = 200;
const BATCH_ROWS = 32;
/** Nor so large, beyond two rows: a picture of a few megapixels takes tens of megabytes. */
const ENOUGH_BYTES = 64 * 2 ** 20;
/**
 * By how much of it, or of 1, a row's answer in a batch may differ from the one that it gets alone: sums are added up in another order,
 * and on devices factors may have ten bits besides, by the batch's size (TensorFloat-32).
 */
const [ON_CPU, ON_DEVICES] = [1e-4, 5e-3];

export interface Measuring {
  /** Called after the first run, where that succeeds. */
  readonly ranOnce: () => void;
  /** It runs on more than the CPU: it compiles for each size of batch, and answers by other sums for each. */
  readonly isOnDevice: boolean;
}

/** Throws HR_MODEL_UNREADABLE when the model fails on one row although its shapes are known, HR_OVERLOADED without memory for it. */
export function measureModel(session: OrtSession, { ranOnce, isOnDevice }: Measuring): Measured {
  const { signature } = session;
  let oneMs: number;
  try {
    session.run(smokeInputs(signature, 1).map(toOrt));
    ranOnce();
    oneMs = timeRuns(session, 1, isOnDevice);
  } catch (thrown) {
    const full = asNoRoom(thrown);
    if (full !== undefined) throw full;
    // With a size that only the caller knows, one row of our making may be wrong: no verdict then.
    if (signature.inputs.some(({ shape }) => shape.slice(1).includes(null)))
      return { mode: 'single', fixedMicros: 0, rowMicros: 0, isMeasured: false };
    throw new HeadraceError('HR_MODEL_UNREADABLE', `the model loads but fails on one row: ${messageOf(thrown)}`, {
      cause: thrown,
    });
  }
  const oneMicros = oneMs * 1000;
  if (signature.inputs.length > 0 && signature.inputs.every(({ shape }) => shape[0] === 1))
    return { mode: 'rowwise', fixedMicros: oneMicros, rowMicros: 0, isMeasured: true };
  const mode = canJoin(session, isOnDevice ? ON_DEVICES : ON_CPU) ? 'joined' : 'single';
  const rowMicros = rowCost(session, oneMs, isOnDevice) * 1000;
  return { mode, fixedMicros: Math.max(oneMicros - rowMicros, 0), rowMicros, isMeasured: true };
}

// What each row adds, from a batch beside one row; a model that takes no batch of ours costs the same for any.
function rowCost(session: OrtSession, oneMs: number, warmsUp: boolean): number {
  const { signature } = session;
  if (signature.inputs.some(({ shape }) => shape[0] !== null)) return 0;
  const byTime = Math.floor(ENOUGH_MS / Math.max(oneMs, 0.001));
  const byMemory = Math.floor(ENOUGH_BYTES / Math.max(rowBytes(signature, rowShapesOf(signature)), 1));
  const rows = Math.max(2, Math.min(BATCH_ROWS, byTime, byMemory));
  try {
    return Math.min(oneMs, Math.max(0, (timeRuns(session, rows, warmsUp) - oneMs) / (rows - 1)));
  } catch {
    return 0;
  }
}

// The shortest of several runs: whatever else the machine does only adds. `warmsUp`: after one that is not timed.
function timeRuns(session: OrtSession, rows: number, warmsUp: boolean): number {
  const inputs = smokeInputs(session.signature, rows).map(toOrt);
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

// Rows are independent when a batch of three different rows gives, row by row, what each gives alone.
function canJoin(session: OrtSession, tolerance: number): boolean {
  const { inputs } = session.signature;
  if (inputs.length === 0 || inputs.some(({ shape }) => shape[0] !== null)) return false;
  try {
    const three = smokeInputs(session.signature, 3);
    const together = session.run(three.map(toOrt));
    if (together.some(({ shape }) => shape[0] !== 3)) return false;
    for (let row = 0; row < 3; row++) {
      const alone = session.run(three.map((tensor) => toOrt(takeRow(tensor, row))));
      if (!together.every((tensor, at) => isClose(takeRow(tensor, row), alone[at] as Tensor, tolerance))) return false;
    }
    return true;
  } catch (thrown) {
    // Memory that is full now would keep its rows apart for as long as it is loaded.
    const full = asNoRoom(thrown);
    if (full !== undefined) throw full;
    return false;
  }
}

function takeRow({ type, shape, data }: Tensor, row: number): Tensor {
  const width = data.length / (shape[0] as number);
  const part = isText(data) ? data.slice(row * width, (row + 1) * width) : data.slice(row * width, (row + 1) * width);
  return { type, shape: [1, ...shape.slice(1)], data: part };
}

function isClose(left: Tensor, right: Tensor, tolerance: number): boolean {
  if (left.data.length !== right.data.length) return false;
  return Array.prototype.every.call(left.data, (value: number | bigint | string, index: number) => {
    const other = right.data[index];
    if (typeof value !== 'number' || typeof other !== 'number') return value === other;
    return Object.is(value, other) || Math.abs(value - other) <= tolerance * Math.max(1, Math.abs(value));
  });
}

function smokeInputs(signature: Signature, rows: number): Tensor[] {
  const rowShapes = rowShapesOf(signature);
  return signature.inputs.map((input, at) => smokeTensor(input, rowShapes[at] as readonly number[], rows));
}

// Row r is filled with r, so that no two rows are alike.
function smokeTensor({ type, shape }: TensorSpec, rowShape: readonly number[], rows: number): Tensor {
  const isScalar = shape.length === 0;
  const first = isScalar ? 1 : (shape[0] ?? rows);
  const width = widthOf(rowShape);
  const data = arrayOf(type, first * width);
  // The array is this tensor's own, and each type gets its kind of element.
  const target = data as { fill(value: unknown, start: number, end: number): unknown };
  for (let row = 0; row < first; row++) target.fill(elementOf(type, row), row * width, (row + 1) * width);
  return { type, shape: isScalar ? [] : [first, ...rowShape], data };
}

function elementOf(type: Tensor['type'], value: number): unknown {
  if (type === 'string') return String(value);
  if (type === 'int64' || type === 'uint64') return BigInt(value);
  if (type === 'float16') return toHalf(value);
  return type === 'bool' ? value % 2 : value;
}
