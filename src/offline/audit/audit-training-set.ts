// Proves a training set: recomputes a sample of its rows from the sources' facts by another path than the one that made it,
// and shows, of the facts that each view used, the one known nearest to its row's time. The facts are read by a path of the audit's
// own too (`openOwnFacts`): a mistake in the casts, in which files are opened, or in rules that set rows apart, is seen.

import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type ErrorDetail,
  formatTimestamp,
  HeadraceError,
  type Micros,
  type Row,
  sha256Hex,
  toJson,
  type Value,
} from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import { planTrainingSet, type ReadPlan, type TrainingSetPlan } from '../plan.ts';
import { fileHash, hashFiles, identityOf } from '../sources/file-identity.ts';
import { readPinned } from '../sources/pinned-snapshot.ts';
import type { SourceSnapshot, TrainingSetRecord } from '../training-sets/record.ts';
import { pinRecordedSources, type RecordedSources } from '../training-sets/source-facts.ts';
import { readTrainingSet } from '../training-sets/training-set-store.ts';
import { agrees } from './agrees.ts';
import { checkSpine } from './check-spine.ts';
import { evaluateService, type RowReads } from './evaluate-service.ts';
import { evaluateView, servedAt, visibleFacts } from './evaluate-view.ts';
import { openOwnFacts, type OwnFacts } from './own-facts.ts';
import { readFacts, type SamplePoint } from './read-facts.ts';
import { readSample } from './read-sample.ts';

export interface AuditReport {
  readonly id: string;
  /** Always true: an audit that finds something throws HR_AUDIT_FAILED. */
  readonly isClean: boolean;
  readonly rows: number;
  readonly sampled: number;
  readonly features: number;
  /** Per view and key mapping: how near to its row's time a used fact was known. */
  readonly views: readonly AuditedView[];
  /** What changed since the set was made without touching what it used, and what was not checked. */
  readonly notes: readonly string[];
}

export interface AuditedView {
  readonly view: string;
  readonly keys: readonly string[];
  readonly facts: number;
  /** Of the facts that a sampled row used: the known time nearest before the row's time, that time, and the row. */
  readonly nearest: { readonly row: number; readonly known: string; readonly at: string } | null;
}

/**
 * Errors: HR_UNKNOWN_TRAINING_SET; HR_AUDIT_FAILED whose details name each row and feature that differs (at most `SHOWN`),
 * a changed file, a changed source.
 */
export async function auditTrainingSet(
  deps: OfflineDeps,
  idOrName: string,
  options: {
    /** How many rows are recomputed; 200 when left out. */
    readonly sample?: number;
    /** Where a relative path of the spine starts; the process's working directory when left out. */
    readonly directory?: string;
  } = {},
): Promise<AuditReport> {
  const record = await readTrainingSet(deps.database, idOrName);
  const plan = planTrainingSet(deps.definitions.manifest, record);
  const mistakes = await checkFiles([{ path: record.path, sha256: record.contentHash }]);
  const isChanged = record.manifestHash !== deps.definitions.hash;
  const notes = isChanged ? ['the definitions changed since; audited by the present ones'] : [];
  const failed = () => auditFailed(record, mistakes, isChanged ? deps.definitions.hash : undefined);
  const connection = await deps.duckdb.connect();
  let sources: RecordedSources | undefined;
  let areSourcesChecked = false;
  try {
    const rows = sampleRows(record, options.sample ?? 200);
    deps.progress.start('audit', rows.length, 'rows');
    const sample = await readSample(connection, record, plan, rows);
    const { directory = process.cwd() } = options;
    const spine = await checkSpine(connection, deps, record, directory, plan, sample, rows);
    mistakes.push(...spine.mistakes);
    if (spine.skipped !== null) notes.push(spine.skipped);
    sources = await pinRecordedSources(plan, deps, record.sources);
    mistakes.push(...(await checkFilesOfSources(record, sources)));
    areSourcesChecked = true;
    const { expected, views, found } = await recompute(connection, deps, { plan, record, sources, sample, rows });
    mistakes.push(...found);
    compareSample(plan, rows, sample, expected, mistakes);
    deps.progress.done(`${rows.length} rows recomputed`);
    if (mistakes.length > 0) throw failed();
    return {
      id: record.id,
      isClean: true,
      rows: record.rows,
      sampled: rows.length,
      features: plan.features.length,
      views,
      notes,
    };
  } catch (thrown) {
    // What was seen to be changed explains best why the rest can't be read.
    const isRead = thrown instanceof HeadraceError && thrown.code === 'HR_SOURCE_UNREADABLE';
    if (isRead && !areSourcesChecked)
      mistakes.push(...(await checkFiles(record.sources.flatMap(({ files }) => files))));
    throw isRead && mistakes.length > 0 ? failed() : thrown;
  } finally {
    await sources?.close();
    connection.closeSync();
  }
}

async function checkFiles(
  files: readonly { readonly path: string; readonly sha256?: string }[],
): Promise<ErrorDetail[]> {
  const mistakes: ErrorDetail[] = [];
  for (const { path, sha256 } of files) {
    // Of what lies elsewhere, reading it told already.
    if (sha256 === undefined) continue;
    const found = await fileHash(path).catch(() => undefined);
    if (found === undefined) mistakes.push({ path, message: 'the file is gone' });
    else if (found !== sha256) mistakes.push({ path, message: CHANGED });
  }
  return mistakes;
}

const CHANGED = 'the file was changed since the training set was made';

/** The files that are read against those that the set was made from. */
async function checkFilesOfSources(record: TrainingSetRecord, sources: RecordedSources): Promise<ErrorDetail[]> {
  const mistakes: ErrorDetail[] = [];
  for (const { source, files } of record.sources) {
    const opened = sources.bySource.get(source);
    if (opened === undefined) continue;
    const found = await hashFiles(opened.snapshot);
    files.forEach((file, i) => {
      const now = found[i];
      if (now === undefined || identityOf(now) !== identityOf(file))
        mistakes.push({ path: file.path, message: CHANGED });
    });
  }
  return mistakes;
}

/** The pushed events that were read against those that the set was made from. */
function checkPushed(was: SourceSnapshot | undefined, found: OwnFacts['pushed']): ErrorDetail[] {
  const pushed = was?.pushed ?? null;
  if (was === undefined || pushed === null || pushed.rows === 0 || found?.sha256 === pushed.sha256) return [];
  const removed = found?.isRemoved === true ? ', retention has removed some' : '';
  return [
    {
      path: `source "${was.source}"`,
      message: `its log no longer holds the events that were pushed then${removed}`,
    },
  ];
}

// The same rows each time: the first, the last, and a pseudo-random choice seeded by the id.
function sampleRows({ id, rows }: TrainingSetRecord, size: number): number[] {
  if (rows <= size) return Array.from({ length: rows }, (_, i) => i);
  const chosen = new Set([0, rows - 1]);
  for (let draw = 0; chosen.size < size; draw++) {
    chosen.add(Number.parseInt(sha256Hex(`${id}/${draw}`).slice(0, 12), 16) % rows);
  }
  return [...chosen].sort((a, b) => a - b);
}

interface Recomputing {
  readonly plan: TrainingSetPlan;
  readonly record: TrainingSetRecord;
  readonly sources: RecordedSources;
  readonly sample: { readonly requests: readonly Row[]; readonly times: readonly (Micros | null)[] };
  /** The sample's numbers in the set. */
  readonly rows: readonly number[];
}

async function recompute(
  connection: DuckDBConnection,
  deps: OfflineDeps,
  { plan, record, sources: { bySource, snapshots }, sample: { requests, times }, rows }: Recomputing,
): Promise<{ expected: Value[][]; views: AuditedView[]; found: ErrorDetail[] }> {
  const reads: RowReads[] = requests.map(() => []);
  const views: AuditedView[] = [];
  const pointsOf = (read: ReadPlan): SamplePoint[] =>
    requests.flatMap((request, index) => {
      const at = times[index] ?? null;
      const key = read.keys.map(({ spineColumn }) => request[spineColumn] ?? null);
      return at === null || key.includes(null) ? [] : [{ index, key, at: servedAt(read, at) }];
    });
  const sampled = plan.reads.map((read) => ({ read, points: pointsOf(read) }));
  const found: ErrorDetail[] = [];
  const facts = new Map<string, OwnFacts>();
  for (const [name, { source, snapshot }] of bySource) {
    const keys = sampled
      .filter(({ read }) => read.view.source === name)
      .map(({ read, points }) => ({ read, keys: points.map(({ key }) => key) }));
    const was = record.sources.find((one) => one.source === name);
    const own = await readPinned(snapshots, unreadable(source), () =>
      openOwnFacts(connection, deps, source, keys, snapshot, was),
    );
    facts.set(name, own);
    found.push(...own.mistakes, ...checkPushed(was, own.pushed));
  }
  for (const [place, { read, points }] of sampled.entries()) {
    // One for each read of the plan.
    const opened = facts.get(read.view.source) as OwnFacts;
    const { source } = opened;
    let used = 0;
    let nearest: { row: number; known: Micros; at: Micros } | null = null;
    await readFacts(connection, read, opened, points, (point, seen) => {
      const visible = visibleFacts(read, source, seen, point.at);
      (reads[point.index] as RowReads)[place] = evaluateView(read, source, visible, point.at);
      used += visible.length;
      for (const { knownMicros } of visible) {
        const at = times[point.index] as Micros;
        if (nearest === null || at - knownMicros < nearest.at - nearest.known) {
          nearest = { row: rows[point.index] as number, known: knownMicros, at };
        }
      }
    });
    views.push({
      view: read.view.name,
      keys: read.keys.map(({ spineColumn }) => spineColumn),
      facts: used,
      nearest: shown(nearest),
    });
  }
  return { expected: evaluateService(plan, deps.definitions, requests, reads), views, found };
}

const unreadable = ({ name }: SourceSpec): string => `source "${name}" cannot be read`;

function shown(nearest: { row: number; known: Micros; at: Micros } | null): AuditedView['nearest'] {
  return nearest === null
    ? null
    : { row: nearest.row, known: formatTimestamp(nearest.known), at: formatTimestamp(nearest.at) };
}

function compareSample(
  plan: TrainingSetPlan,
  rows: readonly number[],
  sample: { features: readonly (readonly Value[])[]; times: readonly (Micros | null)[] },
  expected: readonly (readonly Value[])[],
  mistakes: ErrorDetail[],
): void {
  rows.forEach((row, i) => {
    plan.features.forEach((feature, f) => {
      const [got, wanted] = [sample.features[i]?.[f] ?? null, expected[i]?.[f] ?? null];
      if (agrees(plan, feature, got, wanted)) return;
      const at = sample.times[i] ?? null;
      const show = (value: Value) =>
        JSON.stringify(toJson(feature.type, value), (_, item) => (typeof item === 'bigint' ? String(item) : item));
      mistakes.push({
        path: `row ${row}, ${feature.name}`,
        message: `got ${show(got)}, expected ${show(wanted)} at ${at === null ? 'no time' : formatTimestamp(at)}`,
      });
    });
  });
}

/** So many mistakes are listed. */
const SHOWN = 20;

function auditFailed(record: TrainingSetRecord, mistakes: readonly ErrorDetail[], changedTo?: string): HeadraceError {
  const [first] = mistakes;
  const cut = mistakes.length > SHOWN ? `, of which ${SHOWN - 1} are listed` : '';
  const more = mistakes.length > 1 ? ` (and ${mistakes.length - 1} more${cut})` : '';
  const again = 'Make it again with `headrace training-set create`.';
  const differs = `${first?.path}: ${first?.message}${more}. ${again}`;
  const details = mistakes.slice(0, SHOWN);
  if (changedTo === undefined) {
    return new HeadraceError('HR_AUDIT_FAILED', `training set ${record.id}: ${differs}`, { details });
  }
  const change = `the definitions changed since it was made (manifest ${record.manifestHash.slice(0, 12)} then, ${changedTo.slice(0, 12)} now), so differences are expected`;
  return new HeadraceError('HR_AUDIT_FAILED', `training set ${record.id}: ${change}. ${differs}`, {
    details: [{ path: 'definitions', message: change }, ...details],
  });
}
