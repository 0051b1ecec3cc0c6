// Registering a plain model: a file under a name that no definition has, opened and tried on rows before anyone can ask it.

import { HeadraceError } from '../core/index.ts';
import type { PlainVersion } from '../registry/index.ts';
import { putBlob } from '../storage/index.ts';
import type { App } from './open-app.ts';
import { doubtsOfRows } from './register-model.ts';

export interface RegisterPlainModel {
  readonly model: string;
  readonly onnx: Uint8Array;
  readonly metrics?: Readonly<Record<string, number>>;
  readonly alias?: string;
  /** Whether rows of different callers may share a run; left out where rows are to show it. */
  readonly batch?: boolean;
}

export interface RegisteredPlain extends PlainVersion {
  /** Sentences: what of it looks wrong, and is no reason to refuse it. */
  readonly warnings: readonly string[];
}

type PlainDeps = Pick<App, 'registry' | 'objects' | 'environment'>;

/** Whether the definitions that are applied have no model of this name, or none are applied. */
export async function isPlainName(app: Pick<App, 'registry'>, model: string): Promise<boolean> {
  const current = await (await app.registry()).definitions.current();
  return current === undefined || !Object.hasOwn(current.manifest.models, model);
}

/**
 * Throws HR_MODEL_UNREADABLE, HR_MODEL_SIGNATURE (maps, sequences, a type that cannot be served), and what
 * `PlainModelRegistry.register` does; then nothing is kept.
 */
export async function registerPlainModel(app: PlainDeps, request: RegisterPlainModel): Promise<RegisteredPlain> {
  const { plainModels } = await app.registry();
  await plainModels.refuse(request.model);
  const { createOnnxRuntime } = await import('../models/index.ts');
  const loaded = await createOnnxRuntime().load(request.onnx, { providers: ['cpu'], mayBlock: true });
  try {
    const { signature, rowsVerdict, isMeasured } = loaded;
    const { batch } = request;
    const unnamed = [...signature.inputs, ...signature.outputs].find(({ name }) => name === '');
    if (unnamed !== undefined)
      throw new HeadraceError(
        'HR_MODEL_SIGNATURE',
        'the file has an input or output without a name, which no request could give.',
      );
    const artifact = await putBlob(await app.objects(), request.onnx);
    const version = await plainModels.register({
      model: request.model,
      artifact,
      signature,
      actor: app.environment.actor,
      ...(request.metrics === undefined ? {} : { metrics: request.metrics }),
      ...(request.alias === undefined ? {} : { alias: request.alias }),
      ...(batch === undefined ? {} : { batch }),
      ...(rowsVerdict === undefined ? {} : { rowsVerdict }),
    });
    const doubts = isMeasured === false ? [unmeasured(version)] : [];
    return { ...version, warnings: [...doubts, ...doubtsOfRows(version, batch, rowsVerdict)] };
  } finally {
    await loaded.close();
  }
}

function unmeasured({ model, version }: PlainVersion): string {
  return `${model} version ${version} fails on every row that it was tried on, so what a run of it takes is not measured. It is registered; try it on inputs that it is made for before clients ask it.`;
}
