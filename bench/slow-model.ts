// A model of 20 ms a run, which lives in a thread: eight callers in a closed loop beside a bare loop in batches of eight, and
// what they, and the loading of a large model, cost the event loop. In one process, without HTTP; `overload.ts` has a server.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createScope, type Scope } from '../src/core/index.ts';
import { createOnnxRuntime, type LoadedModel } from '../src/models/index.ts';
import { openSession, toOrt } from '../src/models/onnx/ort-session.ts';
import { patientModel, treesModel } from '../test/support/onnx-model.ts';
import { type Section, whole } from './report.ts';

interface SlowModelFigures {
  /** Rows a second. */
  readonly bare: number;
  readonly eightCallers: number;
  /** The event loop meanwhile, in milliseconds. */
  readonly busyDelayP99Ms: number;
  readonly loadDelayP99Ms: number;
  readonly loadMegabytes: number;
}

const ROWS = 8;
const RUN_MS = 20;
/** So long that nothing is refused. */
const LONG_MS = 60_000;
const MOST_DELAY_MS = 5;
const LEAST_OF_BARE_LOOP = 0.9;

/** `seconds`: how long each figure is measured. */
export async function slowModelSection(seconds: number): Promise<Section> {
  const { bare, eightCallers, busyDelayP99Ms, loadDelayP99Ms, loadMegabytes } = await measureSlowModel(seconds);
  const delay = (name: string, ms: number) => ({
    name,
    value: `p99 ${ms.toFixed(1)} ms`,
    mustBe: `≤ ${MOST_DELAY_MS} ms`,
    isReached: ms <= MOST_DELAY_MS,
  });
  return {
    title: 'A slow model',
    about: `A model of ${RUN_MS} ms a run, whatever its rows, in a thread of its own, called in the same process. Beside it a bare loop that runs batches of ${ROWS} rows. Then the event loop's delay, by a timer of 1 ms.`,
    figures: [
      {
        name: `${ROWS} callers, one row each`,
        value: `${whole(eightCallers)} rows/s`,
        floor: `bare loop: ${whole(bare)} rows/s`,
        ratio: (eightCallers / bare).toFixed(2),
        mustBe: `≥ ${LEAST_OF_BARE_LOOP}`,
        isReached: eightCallers / bare >= LEAST_OF_BARE_LOOP,
      },
      delay('event loop meanwhile', busyDelayP99Ms),
      delay(`event loop while a model of ${loadMegabytes.toFixed(0)} MB is loaded`, loadDelayP99Ms),
    ],
  };
}

async function measureSlowModel(seconds: number): Promise<SlowModelFigures> {
  const onnx = patientModel();
  const { rounds, bare } = measureBare(onnx, seconds);
  const runtime = createOnnxRuntime({ inlineMicros: -1, maxBatchRows: ROWS });
  const model = await runtime.load(onnx, { providers: ['cpu'] });
  try {
    // The model is quick until it is told to be slow: the estimate has to follow.
    await callInLoops(model, rounds, 1);
    const stop = watchDelay();
    const eightCallers = await callInLoops(model, rounds, seconds);
    const busyDelayP99Ms = stop();
    const large = treesModel(30, 1000, 8);
    return { bare, eightCallers, busyDelayP99Ms, ...(await measureLoad(large)) };
  } finally {
    await model.close();
  }
}

/** Finds the rounds that take so long, then runs batches one after the other. */
function measureBare(onnx: Uint8Array, seconds: number): { readonly rounds: number; readonly bare: number } {
  const session = openSession(Uint8Array.from(onnx), ['cpu'], 1);
  const run = (rounds: number): number => {
    const data = new Float32Array(ROWS).fill(rounds);
    const startMs = performance.now();
    session.run([toOrt({ type: 'float32', shape: [ROWS, 1], data })]);
    return performance.now() - startMs;
  };
  let rounds = 1000;
  for (let attempt = 0; attempt < 12; attempt++) rounds = Math.max(1, Math.round((rounds * RUN_MS) / run(rounds)));
  let runs = 0;
  const beganMs = performance.now();
  while (performance.now() - beganMs < seconds * 1000) {
    run(rounds);
    runs++;
  }
  const bare = (runs * ROWS * 1000) / (performance.now() - beganMs);
  session.release();
  return { rounds, bare };
}

/** Rows a second of eight callers who ask again when they are answered. */
async function callInLoops(model: LoadedModel, rounds: number, seconds: number): Promise<number> {
  const beganMs = performance.now();
  const endMs = beganMs + seconds * 1000;
  let rows = 0;
  await Promise.all(
    Array.from({ length: ROWS }, async () => {
      while (performance.now() < endMs) if (await call(model, rounds)) rows++;
    }),
  );
  return (rows * 1000) / (performance.now() - beganMs);
}

/** Whether a row was answered. */
function call(model: LoadedModel, rounds: number): Promise<boolean> {
  const scope = newScope();
  return new Promise((resolve) => {
    model.submit({
      count: 1,
      scope,
      bind(_index, [input], place) {
        if (input !== undefined) (input.data as Float32Array)[place] = rounds;
      },
      done: () => resolve(true),
      failed: () => resolve(false),
    });
  });
}

function newScope(): Scope {
  return createScope({
    requestId: 'bench',
    traceId: null,
    actor: { name: 'bench', roles: new Set(), endpoints: null },
    deadlineMs: performance.now() + LONG_MS,
    priority: 'online',
    span: undefined,
  });
}

async function measureLoad(onnx: Uint8Array): Promise<Pick<SlowModelFigures, 'loadDelayP99Ms' | 'loadMegabytes'>> {
  const loadMegabytes = onnx.byteLength / 1e6;
  const bytes = Uint8Array.from(onnx);
  const stop = watchDelay();
  const model = await createOnnxRuntime().load(bytes, { providers: ['cpu'], handsOver: true });
  const loadDelayP99Ms = stop();
  await model.close();
  return { loadDelayP99Ms, loadMegabytes };
}

/** From now until it is called: the 99th percentile of how late a timer of a millisecond was, in milliseconds. */
function watchDelay(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  return () => {
    delay.disable();
    return Math.max(0, delay.percentile(99) / 1e6 - 1);
  };
}
