// Deletes files of the log's cache that nobody opens any more: others took their place, or retention removed their cuts.
// Each is left for as long as a run may take that opened it before.

import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WriterRow } from '../../events/index.ts';
import { listFiles, writerName } from './log-cache.ts';
import { hashOf, listSpans, removedOf, SPANS_FOLDER, type StoredSpan } from './log-spans.ts';

/** Long enough for every run that may still read a file that others took the place of. */
export const REPLACED_FOR_MS = 6 * 3_600_000;

/** `folder`: a source's. `writers`: all that the registry knows; what is of others is left alone. */
export async function tidySourceFolder(
  folder: string,
  writers: readonly WriterRow[],
  isOld: (path: string) => Promise<boolean> = isLongThere,
): Promise<void> {
  const names = new Set(await readdir(folder).catch(() => []));
  const directory = join(folder, SPANS_FOLDER);
  const spans = (await listSpans(directory)).map((span) => ({ ...span, members: membersOf(span, writers) }));
  const old = new Set<string>();
  for (const { path } of spans) if (await isOld(path)) old.add(path);
  const isReplaced = (span: (typeof spans)[number]): boolean =>
    spans.some((other) => other !== span && old.has(other.path) && replaces(other, span));
  for (const span of spans) if (span.members.length > 0 && isReplaced(span)) await rm(span.path, { force: true });
  const inSpans = new Set(spans.flatMap(({ path, members }) => (old.has(path) ? members : [])));
  for (const writer of writers) {
    const own = join(folder, writerName(writer));
    if (!names.has(writerName(writer))) continue;
    if (!inSpans.has(writer)) await tidyWriterFolder(own, writer, isOld);
    else if (await isOld(own)) await rm(own, { recursive: true, force: true });
  }
  await removeUnfinished(directory);
}

/** The writers of a span, if it is of this registry's. */
function membersOf({ first, last, hash }: StoredSpan, writers: readonly WriterRow[]): readonly WriterRow[] {
  const members = writers.filter(
    ({ number, state, shipped }) => number >= first && number <= last && state === 'ended' && shipped > 0,
  );
  return hashOf(members) === hash ? members : [];
}

interface OwnSpan extends StoredSpan {
  readonly members: readonly WriterRow[];
}

/** Whether a span is read in the place of another. */
function replaces(other: OwnSpan, span: OwnSpan): boolean {
  const isWithout = other.removed === removedOf(other.members);
  if (other.hash === span.hash) return isWithout && other.removed !== span.removed;
  return other.members.length > 0 && other.first <= span.first && other.last >= span.last;
}

async function tidyWriterFolder(
  directory: string,
  { removed, state, shipped }: WriterRow,
  isOld: (path: string) => Promise<boolean>,
): Promise<void> {
  const files = await listFiles(directory).catch(() => undefined);
  if (files === undefined) return;
  const old = new Set<string>();
  for (const { path } of files) if (await isOld(path)) old.add(path);
  const read = files.filter(({ path, from }) => from > removed && old.has(path));
  for (const { path, from, to } of files) {
    const isReplaced = read.some((one) => one.from <= from && one.to >= to && one.to - one.from > to - from);
    if (isReplaced) await rm(path, { force: true });
  }
  // Since when its first cuts are left out is told by an empty file.
  const marks = (await readdir(directory)).flatMap((name) => Number(/^removed-(\d+)$/.exec(name)?.[1] ?? []));
  let gone = 0;
  for (const mark of marks) if (await isOld(join(directory, `removed-${mark}`))) gone = Math.max(gone, mark);
  for (const { path, from } of files) if (from <= gone) await rm(path, { force: true });
  for (const mark of marks) if (mark < gone) await rm(join(directory, `removed-${mark}`), { force: true });
  if (gone >= shipped && state !== 'open') await rm(directory, { recursive: true, force: true });
  else if (removed > Math.max(0, ...marks) && files.some(({ from }) => from <= removed)) {
    await (await open(join(directory, `removed-${removed}`), 'a')).close();
  }
  await removeUnfinished(directory);
}

/** Of processes that died while they wrote. */
async function removeUnfinished(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    if (name.includes('.unfinished-') && (await isLongThere(path))) await rm(path, { force: true });
  }
}

async function isLongThere(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > REPLACED_FOR_MS;
}
