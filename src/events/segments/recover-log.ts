// A log found after its process died, as it stands on disk. The last segment may end inside a frame, whose entry was
// then never acknowledged. Anything else that isn't whole is damage. Nothing in the files changes, but what is found is
// synced: it may only be in the memory of the system, and what comes after builds on it.

import { open, readFile } from 'node:fs/promises';
import { type Logger, syncPath } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import type { WriterRow } from '../event-log.ts';
import type { StandingLog } from './appender.ts';
import { hasEntries, hasMore, logCopied } from './copied-log.ts';
import { logDamaged } from './damage.ts';
import { readFrame } from '../records/frame.ts';
import { listSegments, type LocalSegment, removeSegment, segmentPath } from './local-segments.ts';
import { NEW_LOG_POSITIONS, type SegmentHead } from '../records/log-record.ts';
import { checkSegment, headOf, type SegmentId } from './segment.ts';
import type { ShippedTable } from '../tables/shipped-table.ts';

/** No head is longer. */
const HEAD_LIMIT_BYTES = 4096;

export interface RecoverContext {
  readonly shipped: ShippedTable;
  readonly logger: Logger;
  /** Given where the folder may be a copy: the store that holds the segments which another copy may have shipped. */
  readonly objects?: ObjectStore | undefined;
}

/** Throws HR_LOG_DAMAGED; HR_LOG_COPIED for a folder with entries that the log, as it was shipped, lacks. */
export async function recoverLog(
  folder: string,
  row: WriterRow,
  { shipped, logger, objects }: RecoverContext,
): Promise<StandingLog> {
  const { number: writer, token } = row;
  const idOf = (seq: number): SegmentId => ({ writer, token, seq, name: segmentPath(folder, seq) });
  const before = await shipped.last(writer);
  const cuts = new Map((await shipped.cuts(writer)).map((cut) => [cut.cut, cut]));
  let positions = before?.end ?? NEW_LOG_POSITIONS;
  let last = { seq: before?.seq ?? 0, bytes: before?.bytes ?? 0 };
  const local: LocalSegment[] = [];
  const names = await listSegments(folder);
  const [known, found] = [names.filter((seq) => seq <= last.seq), names.filter((seq) => seq > last.seq)];
  for (const seq of known) {
    if (objects !== undefined && (await hasMore({ folder, writer, token, seq }, objects))) throw logCopied(folder);
  }
  for (const seq of row.state === 'ended' ? found : []) {
    if (hasEntries(await readFile(segmentPath(folder, seq)))) throw logCopied(folder);
  }
  // Shipped, and its process died before it removed the file.
  for (const seq of known) await removeSegment(folder, seq);
  for (const [index, seq] of found.entries()) {
    const expected = last.seq + 1 + index;
    if (seq !== expected) throw logDamaged(idOf(expected), 0, 'the file is missing');
  }
  for (const [index, seq] of found.entries()) {
    const id = idOf(seq);
    const file = await readFile(id.name);
    const nextSeq = found[index + 1];
    const next = nextSeq === undefined ? undefined : await headIn(idOf(nextSeq), index + 2 === found.length);
    if (next !== undefined && next.previous > file.length) {
      throw logDamaged(
        id,
        file.length,
        `the file ends here, its ${next.previous} bytes are told by segment ${nextSeq}`,
      );
    }
    const bytes = next === undefined ? file : file.subarray(0, next.previous);
    const summary = checkSegment(bytes, id, { mayBeTorn: next === undefined, after: positions });
    // Its very head is torn: it was never begun.
    if (summary === undefined) break;
    const { head } = headOf(bytes, id);
    if (head.previous !== last.bytes) {
      throw logDamaged(id, 0, `the segment before it has ${last.bytes} bytes, by its head ${head.previous}`);
    }
    if (summary.bytes < bytes.length) {
      const fields = { file: id.name, bytes: bytes.length - summary.bytes };
      logger.warn(
        fields,
        `the log of writer ${writer} ends inside an entry that was never acknowledged; it is left out`,
      );
    }
    for (const { cut, view } of summary.marks) cuts.set(cut, { cut, view, voids: undefined });
    for (const { cut, voids } of summary.seals) {
      const opened = cuts.get(cut);
      if (opened !== undefined) cuts.set(cut, { ...opened, voids: new Set(voids) });
    }
    local.push({ seq, bytes: summary.bytes, firstCut: head.cut, lastCut: summary.end.cut });
    positions = summary.end;
    last = { seq, bytes: summary.bytes };
    // The next segment's head is torn.
    if (next === undefined) break;
  }
  if (local.length > 0) await syncFound(folder, last.seq);
  if (positions.cut < row.cut) {
    const name = { writer, name: local.length > 0 ? segmentPath(folder, last.seq) : folder };
    const why = objects === undefined ? '' : ', so the folder is an older copy';
    throw logDamaged(name, last.bytes, `it ends in cut ${positions.cut}, the registry knows of cut ${row.cut}${why}`);
  }
  return { positions, cuts, last, local };
}

// Those before the last were synced up to where the next one's head says that they end.
async function syncFound(folder: string, lastSeq: number): Promise<void> {
  const handle = await open(segmentPath(folder, lastSeq), 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await syncPath(folder);
}

/** Undefined for a torn head, which only the last segment may have. */
async function headIn(id: SegmentId, mayBeTorn: boolean): Promise<SegmentHead | undefined> {
  const handle = await open(id.name, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_LIMIT_BYTES), 0, HEAD_LIMIT_BYTES, 0);
    const bytes = buffer.subarray(0, bytesRead);
    return mayBeTorn && readFrame(bytes, 0) === 'torn' ? undefined : headOf(bytes, id).head;
  } finally {
    await handle.close();
  }
}
