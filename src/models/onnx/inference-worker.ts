// A model's thread: opens a session, measures it, runs batches that the other side has written into shared memory.

import { parentPort } from 'node:worker_threads';
import { HeadraceError, sha256Hex, toHeadraceError } from '../../core/index.ts';
import type { Tensor } from '../tensor.ts';
import { isText } from '../tensor-arrays.ts';
import { createBuffers, createFeeds } from './batch-buffers.ts';
import { judgeRows, ON_CPU, ON_DEVICES } from './judge-rows.ts';
import { isOnDevice, openMeasured } from './open-measured.ts';
import { openSession, type OrtSession, toOrt } from './ort-session.ts';
import type { SlotMemory, ThreadOrder, ThreadReply } from './thread-messages.ts';

const port = parentPort;
if (port === null) throw new Error('inference-worker runs only as a worker thread');

/** What some systems count a thread's time in. */
const TICK_MICROS = 10_000;

let session: OrtSession | undefined;
let bytes: Uint8Array | undefined;
const feeds: ReturnType<typeof createFeeds>[] = [];

port.on('message', (order: ThreadOrder) => {
  try {
    obey(order);
  } catch (thrown) {
    const { code, message } = toHeadraceError(thrown);
    port.postMessage({ failure: message, code } satisfies ThreadReply);
  }
});

function obey(order: ThreadOrder): void {
  switch (order.kind) {
    case 'open':
      return open(order);
    case 'judge':
      return reply({
        rowsVerdict: judgeRows(opened(), order.tensors, isOnDevice(order.providers) ? ON_DEVICES : ON_CPU),
      });
    case 'share': {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes?.byteLength ?? 0));
      shared.set(bytes ?? []);
      bytes = shared;
      return reply({ onnx: shared });
    }
    case 'unload': {
      session?.release();
      session = undefined;
      const onnx = bytes ?? new Uint8Array();
      bytes = undefined;
      feeds.length = 0;
      return reply({ onnx }, onnx.buffer instanceof ArrayBuffer ? [onnx.buffer] : []);
    }
    case 'run':
      if (order.memory !== undefined) feeds[order.slot] = openSlot(order.memory);
      return give(opened().run((feeds[order.slot] as (typeof feeds)[number])(order.rows, order.texts)));
    case 'whole':
      return give(opened().run(order.tensors.map(toOrt)));
    case 'stop':
      session?.release();
      port?.close();
  }
}

function open({ onnx, measures, sha256, ...order }: Extract<ThreadOrder, { kind: 'open' }>): void {
  const { providers, intraOpThreads } = order;
  const found = sha256 === undefined ? undefined : sha256Hex(onnx);
  if (found !== sha256)
    throw new HeadraceError('HR_ARTIFACT_UNREADABLE', `artifact ${sha256} is damaged: its content hashes to ${found}`);
  bytes = onnx;
  // The runtime reads no shared memory.
  const own = onnx.buffer instanceof ArrayBuffer ? onnx : new Uint8Array(onnx);
  let loadMicros = 0;
  const openTimed = (profilePrefix?: string): OrtSession => {
    const startMs = performance.now();
    const before = process.threadCpuUsage();
    const next = openSession(own, providers, intraOpThreads, profilePrefix);
    const { user, system } = process.threadCpuUsage(before);
    const passedMicros = (performance.now() - startMs) * 1000;
    // By the thread's own time where all is done in it: on a busy machine the clock would count what others do.
    const isAlone = intraOpThreads === 1 && providers.every((provider) => provider === 'cpu');
    loadMicros = isAlone ? Math.min(passedMicros, user + system + TICK_MICROS) : passedMicros;
    return next;
  };
  const { measured, nodesByProvider, ...opened } = measures
    ? openMeasured(order, openTimed)
    : { session: openTimed(), measured: UNMEASURED, nodesByProvider: undefined };
  ({ session } = opened);
  reply({ opened: { signature: session.signature, ...measured, loadMicros, nodesByProvider } });
}

const UNMEASURED = { mode: 'single', rowsVerdict: 'unknown', isMeasured: false, fixedMicros: 0, rowMicros: 0 } as const;

function opened(): OrtSession {
  if (session === undefined) throw new Error('no model is open in this thread');
  return session;
}

function openSlot({ memory, capacity, rowShapes }: SlotMemory): (typeof feeds)[number] {
  const { signature } = opened();
  return createFeeds(signature, createBuffers(signature, rowShapes, capacity, memory));
}

function give(outputs: readonly Tensor[]): void {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of outputs) if (!isText(data) && data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  reply({ outputs }, [...buffers]);
}

function reply(message: ThreadReply, given: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, given);
}
