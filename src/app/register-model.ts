// Registering a model: the file is read, held against its features, and tried on rows before anyone can serve it.

import {
  createScope,
  didYouMeanOf,
  type ErrorCode,
  HeadraceError,
  type RowsVerdict,
  type Scope,
  toHeadraceError,
  type Value,
} from '../core/index.ts';
import { type Manifest, type ModelSpec, own, type ResolvedService, resolveService } from '../definitions/index.ts';
import type { RowModel } from '../models/index.ts';
import type { TrainingSetRecord } from '../offline/index.ts';
import type { ModelVersion } from '../registry/index.ts';
import { putBlob } from '../storage/index.ts';
import type { App } from './open-app.ts';

export interface RegisterModel {
  readonly model: string;
  readonly onnx: Uint8Array;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly trainingSet?: string;
  /** When given, it must be the model's own service. */
  readonly service?: string;
  readonly alias?: string;
  readonly runId?: string;
  /** Whether rows of different callers may share a run, whatever the definition says. */
  readonly batch?: boolean;
}

export interface RegisteredModel extends ModelVersion {
  /** Sentences: what of it looks wrong, and is no reason to refuse it. */
  readonly warnings: readonly string[];
}

type RegisterDeps = Pick<
  App,
  'applied' | 'definitionsOf' | 'registry' | 'objects' | 'database' | 'duckdb' | 'config' | 'environment'
>;

/**
 * A model that fails on the rows that it is tried on is registered, with a warning: those may be no rows that it is made for.
 * Throws HR_UNKNOWN_MODEL, HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE, HR_UNKNOWN_TRAINING_SET; then nothing is kept.
 */
export async function registerModelFile(app: RegisterDeps, request: RegisterModel): Promise<RegisteredModel> {
  const { manifest, hash } = await app.applied();
  const model = specToRegister(manifest, request.model);
  if (model.graph !== undefined)
    throw new HeadraceError(
      'HR_INVALID',
      `model "${model.name}" is made of others, and no file is one of its versions. Register it by \`headrace models register ${model.name} --graph\`.`,
    );
  if (request.service !== undefined && request.service !== model.service) {
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `model "${model.name}" takes service "${model.service}", not "${request.service}". Change its definition, or leave --service out.`,
    );
  }
  const trainingSet =
    request.trainingSet === undefined ? undefined : await findTrainingSet(app, request.trainingSet, model.service);
  // A model goes on getting what it was trained on, whatever was applied since.
  const manifestHash = trainingSet?.manifestHash ?? hash;
  const trained = manifestHash === hash ? manifest : (await app.definitionsOf(manifestHash)).manifest;
  const { boundRows, compileBinding, createOnnxRuntime } = await import('../models/index.ts');
  const service = resolveService(trained, model.service);
  const sample = trainingSet === undefined ? [] : await sampleOf(app, trainingSet, service);
  const loaded = await createOnnxRuntime().load(request.onnx, {
    providers: ['cpu'],
    mayBlock: true,
    sample: (signature, most) =>
      sample.length === 0 ? undefined : boundRows(signature, compileBinding(signature, service, model), sample, most),
  });
  try {
    const binding = compileBinding(loaded.signature, service, model);
    const { rowsVerdict } = loaded;
    const { batch = model.batch } = request;
    const tried = await tryRow({ loaded, binding }, service, sample, app.environment.actor);
    const artifact = await putBlob(await app.objects(), request.onnx);
    const version = await (await app.registry()).models.register({
      model: model.name,
      artifact,
      manifestHash,
      signature: loaded.signature,
      actor: app.environment.actor,
      ...(request.metrics === undefined ? {} : { metrics: request.metrics }),
      ...(trainingSet === undefined ? {} : { trainingSet: trainingSet.id }),
      ...(request.alias === undefined ? {} : { alias: request.alias }),
      ...(request.runId === undefined ? {} : { runId: request.runId }),
      ...(request.batch === undefined ? {} : { batch: request.batch }),
      ...(rowsVerdict === undefined ? {} : { rowsVerdict }),
    });
    return {
      ...version,
      warnings: [...doubtsOf(model, version, tried), ...doubtsOfRows(version, batch, rowsVerdict)],
    };
  } finally {
    await loaded.close();
  }
}

/** Throws HR_UNKNOWN_MODEL. */
export function specToRegister(manifest: Manifest, name: string): ModelSpec {
  const model = own(manifest.models, name);
  if (model !== undefined) return model;
  const known = didYouMeanOf('models', name, Object.keys(manifest.models));
  throw new HeadraceError('HR_UNKNOWN_MODEL', `there is no model "${name}".${known}`);
}

/** `row`: what it is, in words. */
export type TriedRow =
  | { readonly row: string; readonly answer: readonly Value[] }
  | { readonly row: string; readonly failure: string };

/**
 * Runs the model on a row of zeros, and where it fails on that on the first row of its training set that it can take. Throws
 * HR_OVERLOADED, which says nothing of the model.
 */
export async function tryRow(
  { loaded, binding }: RowModel,
  service: ResolvedService,
  sample: readonly (readonly Value[])[],
  actor: string,
): Promise<TriedRow> {
  const { runRows } = await import('../models/index.ts');
  const real = sample.find((row) => binding.check(row) === undefined);
  const run = async (row: string, values: readonly Value[]): Promise<TriedRow> => {
    try {
      const [answer = []] = await runRows(loaded, binding, [values], smokeScope(actor));
      return { row, answer };
    } catch (thrown) {
      const { code, message } = toHeadraceError(thrown);
      if (code === 'HR_OVERLOADED') throw thrown;
      return { row, failure: message };
    }
  };
  const ofZeros = await run('a row of zeros', smokeRow(service));
  if ('answer' in ofZeros || real === undefined) return ofZeros;
  const ofTraining = await run('a row of its training set', real);
  return 'answer' in ofTraining ? ofTraining : { ...ofTraining, row: `${ofZeros.row} and on ${ofTraining.row}` };
}

/** Zeros may be where a model divides by one; one that says nothing of any row is found by whoever reads this. */
export function doubtsOf(model: ModelSpec, { version }: ModelVersion, tried: TriedRow): string[] {
  const doubt = (what: string): string =>
    `${model.name} version ${version} ${what}. It is registered; try it on rows that it is made for before it gets traffic.`;
  if ('failure' in tried) return [doubt(`fails on ${tried.row}: ${tried.failure}`)];
  const { row, answer } = tried;
  return model.outputs.flatMap(({ name }, at) => {
    const value = answer[at];
    const numbers = typeof value === 'number' ? [value] : value instanceof Float32Array ? [...value] : [];
    const odd = numbers.find((one) => !Number.isFinite(one));
    if (odd === undefined) return [];
    return [doubt(`answers ${odd} as "${name}" to ${row}`)];
  });
}

/** `batch`: what is said of its rows. `verdict`: what they showed; undefined where nothing depends on it. */
export function doubtsOfRows(
  { model, version, trainingSet }: Pick<ModelVersion, 'model' | 'version'> & Partial<Pick<ModelVersion, 'trainingSet'>>,
  batch: boolean | undefined,
  verdict: RowsVerdict | undefined,
): string[] {
  const named = `${model} version ${version}`;
  if (batch === true && verdict === 'dependent')
    return [
      `the rows of ${named} depend on each other: one was answered otherwise beside others than alone. By batch: true the requests of different callers run as one batch all the same.`,
    ];
  if (batch !== undefined || verdict !== 'unknown') return [];
  const byTrainingSet =
    trainingSet === null ? ' Name its training set by --training-set: its rows are tried, too.' : '';
  return [
    `no row that ${named} was tried on shows whether its rows depend on each other, so each request runs alone.${byTrainingSet} Where no row’s answer depends on the rows beside it, say so: batch: true in the definition, or --batch true.`,
  ];
}

/** As many rows as are tried together at most, and some that the model may not take. */
const SAMPLE_ROWS = 16;

/** Why a file gives no rows: it is elsewhere, or another one by now, or holds what the features cannot be. */
const NO_ROWS: readonly ErrorCode[] = ['HR_ARTIFACT_UNREADABLE', 'HR_SOURCE_UNREADABLE', 'HR_STEP_FAILED'];

/** Rows of the training set, in the service's order; none where they cannot be had here. */
async function sampleOf(
  app: RegisterDeps,
  trainingSet: TrainingSetRecord,
  { features }: ResolvedService,
): Promise<readonly (readonly Value[])[]> {
  const { openTrainingSetFile, sampleFeatureRows } = await import('../offline/index.ts');
  try {
    const { file, path } = await openTrainingSetFile(trainingSet, app.config.values['offline.path']);
    try {
      const connection = await (await app.duckdb()).connect();
      try {
        return await sampleFeatureRows(connection, { path, features, rows: SAMPLE_ROWS });
      } finally {
        connection.closeSync();
      }
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof HeadraceError && NO_ROWS.includes(thrown.code)) return [];
    throw thrown;
  }
}

async function findTrainingSet(app: RegisterDeps, idOrName: string, service: string): Promise<TrainingSetRecord> {
  const { getTrainingSet } = await import('../offline/index.ts');
  const record = await getTrainingSet({ database: await app.database() }, idOrName);
  if (record.service !== service) {
    throw new HeadraceError(
      'HR_MODEL_SIGNATURE',
      `training set ${record.id} was made for service "${record.service}", the model takes "${service}".`,
    );
  }
  return record;
}

/** A minute: a model may be slow, and nobody else waits. */
const SMOKE_TIMEOUT_MS = 60_000;

function smokeScope(name: string): Scope {
  return createScope({
    requestId: 'register',
    traceId: null,
    actor: { name, roles: new Set(), endpoints: null },
    deadlineMs: performance.now() + SMOKE_TIMEOUT_MS,
    priority: 'batch',
    span: undefined,
  });
}

/** Zeros, empty texts: whatever is a value of each type. */
function smokeRow(
  service: ReturnType<typeof resolveService>,
): (number | bigint | boolean | string | Float32Array | Uint8Array | readonly never[])[] {
  return service.features.map(({ type }) => {
    switch (type.kind) {
      case 'bool':
        return false;
      case 'int64':
        return 0n;
      case 'string':
        return '';
      case 'bytes':
        return new Uint8Array();
      case 'list':
        return [];
      case 'vector':
        return new Float32Array(type.size);
      default:
        return 0;
    }
  });
}
