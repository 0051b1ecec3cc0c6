// What a batch is, and what of it is done: documents beside its parts, by which a run that was killed is taken up again.

import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { HeadraceError } from '../core/index.ts';
import type { Boundary } from '../offline/index.ts';
import type { BatchArm } from './choose-arm.ts';

/** What was asked for. Two runs of the same go on with each other's parts. */
export interface AskedJob {
  readonly endpoint: string;
  readonly variant: string | null;
  readonly model: string;
  readonly version: number;
  /** The arm's id. */
  readonly arm: string;
  readonly input: string;
  readonly slice: { readonly index: number; readonly of: number } | null;
  readonly timestamp: string;
  /** Whether facts of the very time of a row count in its features. */
  readonly boundary: Boundary;
  /** The input's columns that are kept; null: all. */
  readonly columns: readonly string[] | null;
  readonly features: boolean;
  readonly badRows: 'fail' | 'mark';
  readonly format: 'parquet' | 'csv';
}

export interface Job extends AskedJob {
  /** Of the layout of these documents. */
  readonly job: 1;
  readonly inputs: readonly { readonly path: string; readonly size: number; readonly identity: string }[];
  readonly rows: number;
  /** Of each part but the last. */
  readonly partRows: number;
  readonly inputColumns: readonly string[];
  /** SHA-256 of the file of features that all parts are made of. */
  readonly featureFile: string;
  readonly started_at: string;
}

export interface PartRecord {
  readonly name: string;
  readonly rows: number;
  /** Rows without a prediction. */
  readonly failed: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest extends Job {
  readonly failed: number;
  readonly outputs: readonly { readonly name: string; readonly type: string }[];
  readonly parts: readonly PartRecord[];
  readonly finished_at: string;
}

export const JOB = '_job.json';
export const MANIFEST = '_manifest.json';

export function askedOf(
  arm: BatchArm,
  asked: Omit<AskedJob, 'endpoint' | 'variant' | 'model' | 'version' | 'arm'>,
): AskedJob {
  const { endpoint, variant, model, version, id } = arm;
  return { endpoint, variant, model, version, arm: id, ...asked };
}

const JOB_SHAPE = Type.Object({
  job: Type.Literal(1),
  inputs: Type.Array(Type.Object({ path: Type.String(), size: Type.Number(), identity: Type.String() })),
  rows: Type.Integer({ minimum: 0 }),
  partRows: Type.Integer({ minimum: 1 }),
  inputColumns: Type.Array(Type.String()),
  featureFile: Type.String(),
  started_at: Type.String(),
});

/** Undefined for what no batch of this layout wrote. */
export function readJob(text: string): Job | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Value.Check(JOB_SHAPE, found)) return undefined;
  // The caller compares it with the present job, member by member. Jobs from before `boundary` was kept were all computed with `at`.
  const job = found as unknown as Omit<Job, 'boundary'> & Partial<Job>;
  return { ...job, boundary: job.boundary ?? 'at' };
}

/** Throws HR_CONFLICT where what lies there is another's, naming the first thing that differs. */
export function refuseOther(place: string, found: Job, asked: AskedJob): void {
  const differs = (Object.keys(asked) as (keyof AskedJob)[]).find(
    (key) => JSON.stringify(found[key]) !== JSON.stringify(asked[key]),
  );
  if (differs === undefined) return;
  throw other(place, `its ${NAMES[differs]} is ${shown(found[differs])}, and now it is ${shown(asked[differs])}`);
}

const NAMES: Readonly<Record<keyof AskedJob, string>> = {
  endpoint: 'endpoint',
  variant: 'variant',
  model: 'model',
  version: 'version',
  arm: 'arm (model, definitions and settings by their hash)',
  input: 'input',
  slice: 'slice',
  timestamp: 'time column',
  boundary: 'boundary of features',
  columns: 'choice of columns',
  features: 'choice of features',
  badRows: 'way with bad rows',
  format: 'format',
};

const shown = (value: unknown): string => JSON.stringify(value);

export function other(place: string, how: string): HeadraceError {
  return new HeadraceError(
    'HR_CONFLICT',
    `${place} holds another batch: ${how}. Name another place (--out), or replace it (--overwrite).`,
  );
}

export const partName = (index: number, format: Job['format']): string =>
  `part-${String(index).padStart(5, '0')}.${format}`;

/** Names of parts that `names` has, of any format. */
export function partsAmong(names: ReadonlySet<string>): string[] {
  return [...names].filter((name) => /^part-\d{5,}\.(parquet|csv)$/.test(name));
}

const GROUP_ROWS = 122_880;
const LEAST_PART_ROWS = 8192;

/** Rows of a part: enough parts for all threads, each small enough to be lost. Whole row groups of the file where it is large. */
export function partRowsFor(rows: number, threads: number): number {
  const wanted = Math.ceil(rows / (threads * 4));
  if (wanted >= GROUP_ROWS) return Math.min(2, Math.floor(wanted / GROUP_ROWS)) * GROUP_ROWS;
  return Math.max(LEAST_PART_ROWS, Math.ceil(wanted / 2048) * 2048);
}
