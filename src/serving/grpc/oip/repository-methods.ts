// inference.GRPCInferenceService's model repository: having a model loaded or unloaded.

import { reasonOf } from '../../http/security/reason-header.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import { asLoadRefusal, refuseLoadParameters } from '../../oip/repository-rules.ts';
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
      refuseLoadParameters(parameters.keys());
      const reason = reasonOf({ headers: { 'x-reason': call.header('x-reason') } });
      try {
        await plane[verb](model, { actor: call.actor.name, reason });
      } catch (thrown) {
        throw asLoadRefusal(thrown);
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
