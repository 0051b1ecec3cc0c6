// headrace.v1.ServingService: the native API's calls by their messages.

import type { ServingPlanes } from '../../open-serving.ts';
import type { Method } from '../transport/method.ts';
import { answerOutcomes, readOutcomesRequest } from './outcomes.ts';
import { answerPredict, readPredictRequest } from './predict.ts';
import { answerPush, readPushRequest } from './push.ts';
import { answerRead, readReadRequest } from './read-features.ts';

export const NATIVE_SERVICE = 'headrace.v1.ServingService';

export function nativeService(planes: Pick<ServingPlanes, 'data' | 'ingest' | 'control'>): [path: string, Method][] {
  const { data, ingest } = planes;
  const methods: Readonly<Record<string, Method>> = {
    Predict: {
      kind: 'unary',
      role: 'predict',
      answer(message, call) {
        const request = readPredictRequest(message);
        call.permit(request.endpoint);
        return answerPredict(data, request, call.scope(), (errors) => call.rowsFailed(errors));
      },
    },
    ReadFeatures: {
      kind: 'unary',
      role: 'read',
      answer(message, call) {
        call.permit();
        return answerRead(data, readReadRequest(message), call.scope());
      },
    },
    Push: {
      kind: 'unary',
      role: 'write',
      answer(message, call) {
        call.permit();
        return answerPush(planes, readPushRequest(message), call.scope());
      },
    },
    RecordOutcomes: {
      kind: 'unary',
      role: 'write',
      answer(message, call) {
        const request = readOutcomesRequest(message);
        call.permit(request.endpoint);
        return answerOutcomes(ingest, request, call.scope());
      },
    },
  };
  return Object.entries(methods).map(([name, method]) => [`/${NATIVE_SERVICE}/${name}`, method]);
}
