// Registering a model: the file is read, held against its features and run once before anyone can serve it.

import { createScope, didYouMeanOf, HeadraceError, type Scope, type Value } from '../core/index.ts';
import { type Manifest, type ModelSpec, own, resolveService } from '../definitions/index.ts';
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
}

export interface RegisteredModel extends ModelVersion {
  /** Sentences: what of it looks wrong, and is no reason to refuse it. */
  readonly warnings: readonly string[];
}

type RegisterDeps = Pick<App, 'applied' | 'definitionsOf' | 'registry' | 'objects' | 'database' | 'environment'>;

/** Throws HR_UNKNOWN_MODEL, HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE, HR_UNKNOWN_TRAINING_SET; then nothing is kept. */
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
  const { compileBinding, createOnnxRuntime, runRows } = await import('../models/index.ts');
  const service = resolveService(trained, model.service);
  const loaded = await createOnnxRuntime().load(request.onnx, { providers: ['cpu'], mayBlock: true });
  try {
    const binding = compileBinding(loaded.signature, service, model);
    // One row of zeros: what it answers has to bind too.
    const [answer = []] = await runRows(loaded, binding, [smokeRow(service)], smokeScope(app.environment.actor));
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
    });
    return { ...version, warnings: doubtsOf(model, version, answer) };
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

/** Zeros may be where a model divides by one; one that says nothing of any row is found by whoever reads this. */
export function doubtsOf(model: ModelSpec, { version }: ModelVersion, answer: readonly Value[]): string[] {
  return model.outputs.flatMap(({ name }, at) => {
    const value = answer[at];
    const numbers = typeof value === 'number' ? [value] : value instanceof Float32Array ? [...value] : [];
    const odd = numbers.find((one) => !Number.isFinite(one));
    if (odd === undefined) return [];
    return [
      `${model.name} version ${version} answers ${odd} as "${name}" to a row of zeros. It is registered; try it on rows that it is made for before it gets traffic.`,
    ];
  });
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

export function smokeScope(name: string): Scope {
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
export function smokeRow(
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
