// Rows of a Parquet file through models: each model's answers beside what was so.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson, createScope, type Field, HeadraceError, type Scope, type Value } from '../../core/index.ts';
import type { ModelSpec, ResolvedService } from '../../definitions/index.ts';
import type { ModelRuntime } from '../../models/index.ts';
import type { App } from '../open-app.ts';
import type { OpenedModel } from '../open-version.ts';
import type { RowsInput } from './evaluation-inputs.ts';

/** A model to be run, and the features that it takes. */
export interface Scorer {
  /** As people are told of it: `version 3`, `model.onnx`. */
  readonly name: string;
  readonly service: ResolvedService;
  readonly spec: ModelSpec;
  /** Loads it, whatever it is made of. */
  readonly open: (runtime: ModelRuntime) => Promise<OpenedModel>;
}

export interface Scored {
  readonly labels: Float64Array;
  /** Whether the label is boolean, or has nothing but 0 and 1. */
  readonly isBinary: boolean;
  readonly isBoolean: boolean;
  /** Of each scorer in order, a number a row. */
  readonly scores: readonly Float64Array[];
  /** By column, a text a row. */
  readonly slices: Readonly<Record<string, readonly (string | null)[]>>;
  /** Rows without a label: they count nowhere. */
  readonly unlabelled: number;
}

export interface ScoreRequest {
  readonly rows: RowsInput;
  readonly scorers: readonly Scorer[];
  readonly label: string;
  readonly columns: readonly string[];
  readonly signal: AbortSignal;
}

/** Ten minutes for a batch: a model may be slow, and nobody else waits. */
const BATCH_TIMEOUT_MS = 600_000;

/** Throws HR_STEP_FAILED for rows that hold no labels, and for a model that answers no number; else as the runtime does. */
export async function scoreRows(app: App, request: ScoreRequest): Promise<Scored> {
  const { createOnnxRuntime } = await import('../../models/index.ts');
  const runtime = createOnnxRuntime();
  const loaded: Loaded[] = [];
  try {
    for (const scorer of request.scorers) loaded.push({ scorer, model: await scorer.open(runtime) });
    return await withFile(app, request.rows, (path) => scoreFile(app, { ...request, path }, loaded));
  } finally {
    for (const { model } of loaded) await model.close();
  }
}

type Loaded = { readonly scorer: Scorer; readonly model: OpenedModel };

async function scoreFile(
  app: App,
  { path, scorers, label, columns, signal }: ScoreRequest & { readonly path: string },
  loaded: readonly Loaded[],
): Promise<Scored> {
  const { openFeatureRows } = await import('../../offline/index.ts');
  const { runRows } = await import('../../models/index.ts');
  // Definitions that a version keeps may give a feature another type than those of now: each scorer gets it in its own.
  const columnOf = ({ name, type }: Field): string => canonicalJson([name, type]);
  const all = scorers.flatMap(({ service }) => service.features.map((one) => [columnOf(one), one] as const));
  const features = [...new Map(all).values()];
  const places = new Map(features.map((one, at) => [columnOf(one), at]));
  const labels: number[] = [];
  const scores = loaded.map((): number[] => []);
  const texts = columns.map((): (string | null)[] => []);
  let unlabelled = 0;
  const connection = await (await app.duckdb()).connect();
  try {
    const opened = await openFeatureRows(connection, { path, features, label, columns });
    for await (const batch of opened.batches) {
      signal.throwIfAborted();
      const kept = batch.labels.flatMap((value, row) => (value === null ? [] : [row]));
      unlabelled += batch.labels.length - kept.length;
      for (const row of kept) {
        labels.push(Number(batch.labels[row]));
        for (const [at, column] of texts.entries()) column.push(batch.texts[row]?.[at] ?? null);
      }
      if (kept.length === 0) continue;
      for (const [at, { scorer, model }] of loaded.entries()) {
        const own = scorer.service.features.map((one) => places.get(columnOf(one)) ?? 0);
        const given = kept.map((row) => own.map((place): Value => batch.features[row]?.[place] ?? null));
        const answers = await runRows(model.loaded, model.binding, given, scopeOf(app.environment.actor));
        for (const answer of answers) scores[at]?.push(numberOf(scorer, answer));
      }
    }
    if (labels.length === 0) {
      const sentence = `${path} has no row with a "${label}": there is nothing to evaluate by (${unlabelled} rows without one)`;
      throw new HeadraceError('HR_STEP_FAILED', sentence);
    }
    return {
      labels: Float64Array.from(labels),
      isBoolean: opened.isBoolean,
      isBinary: opened.isBoolean || labels.every((value) => value === 0 || value === 1),
      scores: scores.map((own) => Float64Array.from(own)),
      slices: Object.fromEntries(columns.map((column, at) => [column, texts[at] ?? []])),
      unlabelled,
    };
  } finally {
    connection.closeSync();
  }
}

/** The model's first output that is a number; of several numbers a row (the classes' probabilities) the last. */
function numberOf({ name, spec }: Scorer, answer: readonly Value[]): number {
  for (const value of answer) {
    const number = value instanceof Float32Array ? value.at(-1) : typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number') continue;
    if (Number.isFinite(number)) return number;
    const sentence = `${name} answers ${number} to a row: it cannot be evaluated on rows that it has no number for`;
    throw new HeadraceError('HR_STEP_FAILED', sentence);
  }
  const outputs = spec.outputs.map((output) => `${output.name} (${output.type.kind})`).join(', ');
  throw new HeadraceError('HR_STEP_FAILED', `evaluate goes by an output that is a number; ${name} has ${outputs}`);
}

async function withFile<T>(app: App, rows: RowsInput, work: (path: string) => Promise<T>): Promise<T> {
  if (rows.sha256 === undefined) return work(rows.path);
  const { getBlob } = await import('../../storage/index.ts');
  const folder = await mkdtemp(join(tmpdir(), 'headrace-rows-'));
  try {
    const path = join(folder, 'rows.parquet');
    await writeFile(path, await getBlob(await app.objects(), rows.sha256));
    return await work(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function scopeOf(name: string): Scope {
  return createScope({
    requestId: 'evaluate',
    traceId: null,
    actor: { name, roles: new Set(), endpoints: null },
    deadlineMs: performance.now() + BATCH_TIMEOUT_MS,
    priority: 'batch',
    span: undefined,
  });
}
