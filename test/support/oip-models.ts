// A server with plain models beside an endpoint: one gives back an input of every datatype, one is wide.

import { registerPlainModel } from '../../src/app/index.ts';
import type { TensorType } from '../../src/models/index.ts';
import { passThroughModel } from './onnx-model.ts';
import { openServing, type OpenServing } from './open-serving.ts';

const NAMED_ALIKE = ['bool', 'uint8', 'uint16', 'uint32', 'uint64', 'int8', 'int16', 'int32', 'int64'] as const;

/** Inputs of model `types`: each called as its datatype, in small letters, of the shape [N, 3]. */
export const EVERY_TYPE: Readonly<Record<string, TensorType>> = {
  ...Object.fromEntries(NAMED_ALIKE.map((type) => [type, type])),
  fp16: 'float16',
  fp32: 'float32',
  fp64: 'float64',
  bytes: 'string',
};

/** Endpoint `checkout` answers 0.25; `types` is version 1, also as `stable`; `wide` takes `x`, [N, 1000]. */
export async function openOipServing(given: Partial<Parameters<typeof openServing>[0]> = {}): Promise<OpenServing> {
  const open = await openServing(given);
  const types = Object.entries(EVERY_TYPE).map(([name, type]) => ({ name, type, shape: [null, 3] }));
  await registerPlainModel(open.app, { model: 'types', onnx: passThroughModel(types), alias: 'stable' });
  const wide = passThroughModel([{ name: 'x', type: 'float32', shape: [null, 1000] }]);
  await registerPlainModel(open.app, { model: 'wide', onnx: wide });
  await open.serving.planes.inference.load('wide', { actor: 'test' });
  return open;
}
