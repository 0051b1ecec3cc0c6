// inference.GRPCInferenceService: the Open Inference Protocol v2 with Triton's extensions, over the plane that HTTP's routes ask, too.

import type { InferencePlane } from '../../oip/inference-plane.ts';
import type { Method } from '../transport/method.ts';
import { inferMethods } from './infer-methods.ts';
import { modelMethods } from './model-methods.ts';
import { repositoryMethods } from './repository-methods.ts';

export const OIP_SERVICE = 'inference.GRPCInferenceService';

export function oipService(plane: InferencePlane, version: string): [path: string, method: Method][] {
  const methods = { ...inferMethods(plane), ...modelMethods(plane, version), ...repositoryMethods(plane) };
  return Object.entries(methods).map(([name, method]) => [`/${OIP_SERVICE}/${name}`, method]);
}
