// inference.GRPCInferenceService's model repository: having a model loaded or unloaded.

import { HeadraceError, invalid } from '../../../core/index.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import type { Method } from '../transport/method.ts';
import { DELIMITED, WireReader } from '../wire/wire-reader.ts';
import { writeMessage } from '../wire/wire-writer.ts';
import { type Parameters, readParameter } from './infer-parameter.ts';

const REQUEST = { model: 2, parameters: 3 } as const;

export function repositoryMethods(plane: InferencePlane): Readonly<Record<string, Method>> {
  const method = (verb: 'load' | 'unload'): Method => ({
    kind: 'unary',
    role: 'admin',
    changes: { action: `model.${verb}`, object: (message) => readAsked(message).model },
    async answer(message, call) {
      const { model, parameters } = readAsked(message);
      call.permit(model);
      const own = [...parameters.keys()].find((name) => name !== 'unload_dependents');
      if (own !== undefined) {
        const what = 'a model is loaded as it was registered: no configuration and no file come with the request';
        throw invalid([{ path: `parameters.${own.slice(0, 80)}`, message: what }]);
      }
      try {
        await plane[verb](model, call.actor.name);
      } catch (thrown) {
        throw asRefusal(thrown);
      }
      return writeMessage(() => {});
    },
  });
  return { RepositoryModelLoad: method('load'), RepositoryModelUnload: method('unload') };
}

function readAsked(message: Buffer): { readonly model: string; readonly parameters: Parameters } {
  const reader = new WireReader(message);
  const parameters: Parameters = new Map();
  let model = '';
  while (reader.next()) {
    if (reader.is(REQUEST.model, DELIMITED)) model = reader.text();
    else if (reader.is(REQUEST.parameters, DELIMITED)) readParameter(reader, parameters);
    else reader.skip();
  }
  return { model, parameters };
}

/** A model that can't be loaded is told as Triton does: as the request's mistake, with the reason. */
function asRefusal(thrown: unknown): unknown {
  if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_MODEL_NOT_READY') return thrown;
  return new HeadraceError('HR_INVALID', thrown.message, { cause: thrown });
}
