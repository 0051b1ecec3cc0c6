// ONNX Runtime as a model runtime: opens each model in a thread, which checks, warms and measures it, and decides by that where
// it runs: on the event loop, if it is quick and has no loop of its own, or in threads.

import type { KnownRows, RowsVerdict } from '../../core/index.ts';
import type { LoadedModel, ModelRuntime } from '../model-runtime.ts';
import type { Signature } from '../tensor.ts';
import type { BatchMode } from '../queue/model-queue.ts';
import { createRunCost } from '../queue/run-cost.ts';
import { inferTensors } from '../tensor-work.ts';
import { hasLoop } from './has-loop.ts';
import { createInlineModel, type InlineModel } from './inline-model.ts';
import { bothVerdicts, judgedRows, mayJoin, modeOf } from './measure-model.ts';
import { type ModelThread, startThread } from './model-thread.ts';
import { createOpeningThreads } from './opening-threads.ts';
import { openSession } from './ort-session.ts';
import type { Opened } from './thread-messages.ts';
import { createThreadedModel, type ThreadedModel } from './threaded-model.ts';

export interface OnnxRuntimeOptions {
  /** Models slower than this for one row stay off the event loop. Default 1 ms. */
  readonly inlineMicros?: number;
  /** Models that take longer to load stay off it as well, unless the caller says that it may block. Default 20 ms. */
  readonly inlineLoadMicros?: number;
  /** Threads of a slow model, each with its own copy in memory. Default 1. */
  readonly workerThreads?: number;
  /** Threads inside one inference. Default 1. */
  readonly intraOpThreads?: number;
  /**
   * Share of a model's nodes, but those of shapes, that have to be seen to run on its providers before the CPU: 0 to 1; with 0
   * nothing of its providers is held against what ran. Default 1.
   */
  readonly providerShare?: number;
  /** Default 256. */
  readonly maxBatchRows?: number;
  /** Rows that may wait for one model, of all callers. Default 4096. */
  readonly maxQueuedRows?: number;
  /** Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  /** How long opening and measuring a model may take. Default 60 s. */
  readonly openLimitMs?: number;
  /** A run is never taken for hung before this. Default 1 s. */
  readonly silenceFloorMs?: number;
  /** Whether a run may take for ever, whatever was measured: never on the event loop. Default: by its operators. */
  readonly isUnbounded?: (onnx: Uint8Array) => boolean;
  /** What a model's thread runs: for tests of threads that end. */
  readonly threadScript?: URL;
}

/** Models opened at once: each takes a core. */
const MOST_OPENING = 2;
/** How long one batch may keep the event loop from everyone else. */
const LONGEST_INLINE_MS = 4;
/** A run on it may take so many times `inlineMicros` now and then, and so many times never: 5 ms and 100 ms. */
const [LONG_TIMES, TOO_LONG_TIMES] = [5, 100];
/** Below this the clock, and whatever else the machine does, says nothing about a model. */
const LEAST_INLINE_MS = 1;
/** How long one batch may keep a thread from more urgent rows: a quarter of the usual deadline. */
const LONGEST_THREADED_MS = 250;
/** A device that compiles for a size of batch which it has not seen is not hung. */
const DEVICE_SILENCE_MS = 30_000;
/** Work under way is waited for so long at a close. */
const CLOSE_LIMIT_MS = 10_000;
/** Then threads, those that were given up too, are waited for so long. */
const STOP_LIMIT_MS = 5000;

type Options = Required<OnnxRuntimeOptions>;

export function createOnnxRuntime(given: OnnxRuntimeOptions = {}): ModelRuntime {
  const options = {
    inlineMicros: 1000,
    inlineLoadMicros: 20_000,
    workerThreads: 1,
    intraOpThreads: 1,
    providerShare: 1,
    maxBatchRows: 256,
    maxQueuedRows: 4096,
    maxQueuedBytes: 64 * 1024 * 1024,
    openLimitMs: 60_000,
    silenceFloorMs: 1000,
    isUnbounded: hasLoop,
    ...given,
  };
  // Until they have ended, those that were given up too.
  const threads = new Set<ModelThread>();
  const start = (): ModelThread => {
    const thread = startThread(given.threadScript);
    threads.add(thread);
    void thread.exited.then(() => threads.delete(thread));
    return thread;
  };
  const opening = createOpeningThreads(MOST_OPENING, start);
  const open = (
    thread: ModelThread,
    order: Omit<Parameters<ModelThread['open']>[0], 'intraOpThreads' | 'providerShare'>,
  ): Promise<Opened> => {
    const { intraOpThreads, providerShare, openLimitMs } = options;
    return thread.open({ ...order, intraOpThreads, providerShare }, openLimitMs);
  };

  return {
    isRunning: () => [...threads].some(({ isAtWork }) => isAtWork),
    load: (onnx, { providers, mayBlock = false, handsOver = false, sha256, rows, sample }) =>
      opening.withThread<LoadedModel>(async (thread) => {
        const bytes = onnx.byteLength;
        const given = handsOver && isWholeBuffer(onnx) ? onnx : ownCopy(onnx);
        const measured = await open(thread, { onnx: given, providers, measures: true, sha256, rows });
        const { signature } = measured;
        const oneMs = (measured.fixedMicros + measured.rowMicros) / 1000;
        const tried = mayJoin(signature) ? sample?.(signature, judgedRows(oneMs)) : undefined;
        const opened =
          tried === undefined
            ? measured
            : judged(measured, rows, await thread.judge(tried, providers, options.openLimitMs));
        const { fixedMicros, rowMicros, loadMicros, isMeasured } = opened;
        const isQuick = isMeasured && fixedMicros + rowMicros <= options.inlineMicros;
        const shared = await thread.share();
        const openAnother = async (): Promise<ModelThread> => {
          const another = start();
          try {
            await open(another, { onnx: shared, providers, measures: false });
            return another;
          } catch (thrown) {
            another.abandon();
            throw thrown;
          }
        };
        const isOnCpu = providers.every((provider) => provider === 'cpu');
        const silenceFloorMs = isOnCpu ? options.silenceFloorMs : Math.max(options.silenceFloorMs, DEVICE_SILENCE_MS);
        // A run on a device keeps its thread waiting, however quick it was.
        const isInline = isOnCpu && isQuick && (mayBlock || loadMicros <= options.inlineLoadMicros);
        if (isInline && !options.isUnbounded(new Uint8Array(shared))) {
          await thread.unload();
          // The runtime reads no shared memory.
          const session = openSession(new Uint8Array(shared), providers, options.intraOpThreads);
          const inlineMs = Math.max(LEAST_INLINE_MS, options.inlineMicros / 1000);
          const core: InlineModel = createInlineModel(session, {
            ...coreOptions(opened, options, () =>
              core.placement === 'inline' ? LONGEST_INLINE_MS : LONGEST_THREADED_MS,
            ),
            openAnother,
            silenceFloorMs,
            longMs: LONG_TIMES * inlineMs,
            tooLongMs: TOO_LONG_TIMES * inlineMs,
            isAlone: options.intraOpThreads === 1,
          });
          // One copy is kept for the thread that it may have to go on in, which then takes the session's place.
          return { result: loaded(opened, core, () => core.placement, 2 * bytes), isFree: true };
        }
        const others = await openAll(options.workerThreads - 1, openAnother);
        const core = createThreadedModel({
          ...coreOptions(opened, options, () => LONGEST_THREADED_MS),
          threads: [thread, ...others],
          openAnother,
          silenceFloorMs,
        });
        // One copy is kept for threads that have to be replaced.
        const memory = bytes * (options.workerThreads + 1);
        return { result: loaded(opened, core, () => 'threads', memory), isFree: false };
      }),
  };
}

function judged(measured: Opened, known: KnownRows | undefined, bySample: RowsVerdict): Opened {
  const rowsVerdict = bothVerdicts(measured.rowsVerdict, bySample);
  return { ...measured, rowsVerdict, mode: modeOf(measured.signature, known, rowsVerdict) };
}

/** So many threads; when one can't be opened, those that were are given up, and what it said is thrown. */
async function openAll(count: number, openAnother: () => Promise<ModelThread>): Promise<ModelThread[]> {
  const settled = await Promise.allSettled(Array.from({ length: count }, openAnother));
  const opened = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed === undefined) return opened;
  for (const thread of opened) thread.abandon();
  throw failed.reason;
}

function coreOptions(
  { signature, mode, fixedMicros, rowMicros, loadMicros }: Opened,
  { maxBatchRows, maxQueuedRows, maxQueuedBytes }: Pick<Options, 'maxBatchRows' | 'maxQueuedRows' | 'maxQueuedBytes'>,
  longestRunMs: () => number,
): {
  signature: Signature;
  mode: BatchMode;
  cost: ReturnType<typeof createRunCost>;
  maxQueuedRows: number;
  maxQueuedBytes: number;
} {
  const cost = createRunCost({ measured: { fixedMicros, rowMicros, loadMicros }, maxBatchRows, longestRunMs });
  return { signature, mode, cost, maxQueuedRows, maxQueuedBytes };
}

function loaded(
  { signature, mode, rowsVerdict, isMeasured, nodesByProvider }: Opened,
  core: ThreadedModel | InlineModel,
  placement: () => LoadedModel['placement'],
  memoryBytes: number,
): LoadedModel {
  const close = async (): Promise<void> => {
    await core.close(CLOSE_LIMIT_MS);
    await core.stop(STOP_LIMIT_MS);
  };
  let closing: Promise<void> | undefined;
  const givesOneRow = signature.outputs.every(({ shape }) => shape[0] === 1);
  // What takes one row need not give one: it may find many things in a picture, or sum it up.
  const isWholeWith = (rows: number): boolean =>
    mode === 'single' || (mode === 'rowwise' && rows === 1 && !givesOneRow);
  return {
    signature,
    mixesRows: mode === 'single',
    rowsVerdict: mayJoin(signature) ? rowsVerdict : undefined,
    isMeasured,
    memoryBytes,
    nodesByProvider,
    get placement() {
      return placement();
    },
    get cost() {
      return core.cost.current();
    },
    submit: core.submit,
    infer: (inputs, scope) => inferTensors(signature, core.submit, inputs, scope, isWholeWith),
    statistics: core.statistics,
    close: () => (closing ??= close()),
  };
}

/** Whether giving the buffer away takes nothing else with it. */
function isWholeBuffer({ buffer, byteLength }: Uint8Array): boolean {
  return buffer.byteLength === byteLength;
}

function ownCopy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
