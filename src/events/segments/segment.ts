// A segment's bytes as records: read whole, each frame checked, in the order in which they follow from its head.

import type { LogEntry } from '../event-log.ts';
import { logDamaged, type SegmentName } from './damage.ts';
import { readFrame } from '../records/frame.ts';
import {
  type LogRecord,
  type Positions,
  readHead,
  readRecord,
  type SegmentHead,
  toEntry,
} from '../records/log-record.ts';
import { createSumming, type LogSummary } from '../records/log-summary.ts';

/** What a segment holds, without its entries. */
export interface SegmentSummary extends LogSummary {
  /** Up to the end of its last whole frame. */
  readonly bytes: number;
}

export type SegmentId = SegmentName & Pick<SegmentHead, 'token' | 'seq'>;

export interface CheckOptions {
  /** Allowed of a log's last segment alone: it ends inside a frame, which was then never acknowledged. */
  readonly mayBeTorn?: boolean;
  /** Where the log stood before it, if known. */
  readonly after?: Positions;
}

/** Checks every frame. Throws HR_LOG_DAMAGED. Undefined for a segment whose very head is torn. */
export function checkSegment(bytes: Buffer, id: SegmentId, options: CheckOptions = {}): SegmentSummary | undefined {
  const steps = checkInSteps(bytes, id, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same while requests are served: they get their turn between steps. */
export async function checkSegmentInTurns(bytes: Buffer, id: SegmentId): Promise<SegmentSummary | undefined> {
  const steps = checkInSteps(bytes, id, {});
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const STEP_FRAMES = 256;
const STEP_BYTES = 256 * 1024;

function* checkInSteps(
  bytes: Buffer,
  id: SegmentId,
  options: CheckOptions,
): Generator<undefined, SegmentSummary | undefined> {
  const { mayBeTorn = false, after } = options;
  const first = readFrame(bytes, 0);
  if (first === 'torn' && mayBeTorn) return undefined;
  const { head, end } = headOf(bytes, id);
  const at: Positions = { cut: head.cut, sealed: head.sealed, offset: head.offset };
  if (after !== undefined && (after.cut !== at.cut || after.sealed !== at.sealed || after.offset !== at.offset)) {
    throw logDamaged(id, 0, `it begins at ${told(at)}, but what lies before it ends at ${told(after)}`);
  }
  const summing = createSumming(at);
  let length = end;
  let [frames, stepAt] = [0, end];
  while (length < bytes.length) {
    if (++frames % STEP_FRAMES === 0 || length - stepAt > STEP_BYTES) {
      yield;
      stepAt = length;
    }
    const frame = readFrame(bytes, length);
    if (frame === 'torn' && mayBeTorn) break;
    if (typeof frame === 'string') throw logDamaged(id, length, frame === 'torn' ? 'it ends inside a frame' : frame);
    const record = readRecord(frame);
    const problem = record === undefined ? `a frame of an unknown kind (${frame.kind})` : summing.add(record);
    if (problem !== undefined) throw logDamaged(id, length, problem);
    length = frame.end;
  }
  return { bytes: length, ...summing.summary() };
}

/**
 * Entries of cuts from `from` to `to`, void ones too; those alone that end past the first `after` bytes. Throws HR_LOG_DAMAGED at
 * the first bad frame.
 */
export function* entriesOf(bytes: Buffer, id: SegmentId, from: number, to: number, after = 0): Generator<LogEntry> {
  const { head, end } = headOf(bytes, id);
  let cut = head.cut;
  for (let at = end; at < bytes.length; ) {
    const frame = readFrame(bytes, at);
    if (typeof frame === 'string') throw logDamaged(id, at, frame === 'torn' ? 'it ends inside a frame' : frame);
    const record: LogRecord | undefined = readRecord(frame);
    if (record === undefined) throw logDamaged(id, at, `a frame of an unknown kind (${frame.kind})`);
    if (record.kind === 'mark') {
      cut = record.cut;
      if (cut > to) return;
    } else if (record.kind === 'entry' && cut >= from && cut <= to && frame.end > after) {
      const entry = toEntry(id.writer, cut, record, frame.body);
      yield head.writer === id.writer ? entry : { ...entry, claimedBy: head.writer };
    }
    at = frame.end;
  }
}

/**
 * The head, checked to be this segment's own: its log has the token; a log that was given another number has the former in the
 * heads of before. Throws HR_LOG_DAMAGED.
 */
export function headOf(bytes: Buffer, id: SegmentId): { readonly head: SegmentHead; readonly end: number } {
  const frame = readFrame(bytes, 0);
  if (typeof frame === 'string') throw logDamaged(id, 0, frame === 'torn' ? 'it ends inside its head' : frame);
  const head = readHead(frame);
  if (typeof head === 'string') throw logDamaged(id, 0, head);
  if (head.token !== id.token || head.seq !== id.seq) {
    throw logDamaged(
      id,
      0,
      `it is segment ${head.seq} of writer ${head.writer}-${head.token}, in the place of another`,
    );
  }
  return { head, end: frame.end };
}

const told = ({ cut, sealed, offset }: Positions): string => `cut ${cut} (sealed ${sealed}), offset ${offset}`;
