// Puts rows back that were set apart: pushed ones are pushed again; rows of files count from the next run on. Either is known
// since its release, for no feature could be made of it before. Broken off in the middle it is safe to call again.

import { addReleases, type Quarantine } from '../checks/index.ts';
import { HeadraceError, parseJson, parseRows, type Row } from '../core/index.ts';
import { isLogAlone, own, type SourceSpec } from '../definitions/index.ts';
import type { Ingestion } from '../ingestion/index.ts';
import { type OfflineDeps, releasesOf, releasesOfPushed } from '../offline/index.ts';

export interface ReleaseRequest {
  readonly source: string;
  /** All of the source's when left out. */
  readonly ids?: readonly string[] | undefined;
  readonly by: string;
  readonly reason: string | null;
}

export interface Released {
  /** Rows that were pushed again. */
  readonly pushed: number;
  /** Of them those that happened before a view's files end, which are to hold them. */
  readonly covered: number;
  /** Different rows that count wherever a file has them. */
  readonly inFiles: number;
}

export interface ReleaseDeps {
  readonly offline: OfflineDeps;
  readonly quarantine: Quarantine;
  /** Opened when a pushed row is there to be put back. */
  readonly ingestion: () => Promise<Pick<Ingestion, 'feed'>>;
}

/** Throws HR_UNKNOWN_SOURCE, HR_USAGE for an id that nothing has, and what pushing and reading the source throw. */
export async function releaseQuarantined(
  { offline, quarantine, ingestion }: ReleaseDeps,
  { source: name, ids, by, reason }: ReleaseRequest,
): Promise<Released> {
  const { clock, database, definitions } = offline;
  const source = own(definitions.manifest.sources, name);
  if (source === undefined) throw new HeadraceError('HR_UNKNOWN_SOURCE', `there is no source "${name}".`);
  const about = { at: clock.nowMicros(), by, reason };
  const fromFiles = await releasesOf(offline, source, ids);
  const held = ids === undefined ? [] : await quarantine.rows(name);
  refuseUnknown(ids, [...fromFiles.map(({ hash }) => hash), ...held.map(({ id }) => id)]);
  let [pushed, covered] = [0, 0];
  for (const { key, rows } of await quarantine.beginRelease(name, ids)) {
    const json = rows.map(({ row }) => parseJson(row));
    // First, so that the file which brings the event too is no longer without it when the pushed one goes.
    await addReleases(database, name, source.columns, await pushedReleases(offline, source, json), about);
    covered += await pushOnce(await ingestion(), { source: name, feed: key }, json);
    await quarantine.finishRelease(key, about);
    pushed += rows.length;
  }
  const inFiles = await addReleases(database, name, source.columns, fromFiles, about);
  return { pushed, covered, inFiles };
}

/**
 * A batch is a feed of one step: where that stands is kept for good, and comes along in a backup, while the key of a push is
 * known for a day or so. Gives how many events the files cover.
 */
async function pushOnce(
  ingestion: Pick<Ingestion, 'feed'>,
  id: { readonly source: string; readonly feed: string },
  json: readonly unknown[],
): Promise<number> {
  const feed = ingestion.feed(id);
  await feed.begin(0);
  if ((await feed.position()) !== 0) return 0;
  const { views } = await feed.push(json, 0, 1, { isPutBack: true });
  return Math.max(0, ...views.map((view) => view.covered));
}

async function pushedReleases(offline: OfflineDeps, source: SourceSpec, json: readonly unknown[]) {
  if (isLogAlone(source)) return [];
  const known = new Set(source.columns.map(({ name }) => name));
  const own = json.map((row) => Object.fromEntries(Object.entries(row as object).filter(([name]) => known.has(name))));
  const rows: readonly Row[] = parseRows(source.columns, own, 'rows');
  return releasesOfPushed(offline, source, rows);
}

function refuseUnknown(ids: readonly string[] | undefined, found: readonly string[]): void {
  const there = new Set(found);
  const unknown = (ids ?? []).filter((id) => !there.has(id));
  if (unknown.length === 0) return;
  throw new HeadraceError(
    'HR_USAGE',
    `no quarantined row has the id ${unknown.join(', ')}. \`headrace quarantine show SOURCE\` shows those there are.`,
  );
}
