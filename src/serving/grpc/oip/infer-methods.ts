// inference.GRPCInferenceService's inference: one request a call, or as many as the client likes on a stream.

import { HeadraceError, type Scope, toHeadraceError } from '../../../core/index.ts';
import { toProblem } from '../../http/problem.ts';
import type { InferencePlane } from '../../oip/inference-plane.ts';
import type { CallContext, Method, StreamCall, StreamHandler } from '../transport/method.ts';
import { ofCall } from '../transport/status.ts';
import { writeMessage } from '../wire/wire-writer.ts';
import { type AskedInference, type AskedModel, readAskedModel, readInference } from './read-infer-request.ts';
import { writeInferResponse } from './write-infer-response.ts';

/** Requests of one stream that run at once; past it the client is not read any more. */
const MOST_RUNNING = 32;

const STREAMED = { error: 1, response: 2 } as const;
const RESPONSE = { model: 1, version: 2, id: 3 } as const;

export function inferMethods(plane: InferencePlane): Readonly<Record<string, Method>> {
  return {
    ModelInfer: {
      kind: 'unary',
      role: 'predict',
      async answer(message, call) {
        const asked = readAskedModel(message);
        const { answer, form } = await infer(plane, asked, message, call);
        return writeMessage((out) => writeInferResponse(out, asked, answer, form));
      },
    },
    ModelStreamInfer: { kind: 'stream', role: 'predict', open: (call) => streamed(plane, call) },
  };
}

interface Inferred {
  readonly answer: Awaited<ReturnType<InferencePlane['infer']>>;
  readonly form: AskedInference;
}

async function infer(
  plane: InferencePlane,
  { model, version }: AskedModel,
  message: Buffer,
  call: CallContext,
): Promise<Inferred> {
  call.permit(model);
  let form: AskedInference;
  let scope: Scope;
  try {
    form = readInference(message);
    scope = call.scope(form.timeoutMs);
  } catch (thrown) {
    plane.refused(model, thrown);
    throw thrown;
  }
  const claim = form.isPatient ? scope.child({ priority: 'batch' }) : scope;
  return { answer: await plane.infer(model, version, form, claim), form };
}

// Answers go in the order of their requests, whichever is ready first.
function streamed(plane: InferencePlane, call: StreamCall): StreamHandler {
  // As Triton's clients ask for it: an error ends the stream with its status.
  const endsByErrors = call.header('triton_grpc_error') === 'true';
  let last: Promise<void> = Promise.resolve();
  let running = 0;
  let isOver = false;
  let room: PromiseWithResolvers<void> | undefined;

  const answerOf = async (message: Buffer): Promise<Buffer> => {
    let asked: AskedModel = { model: '', version: undefined, id: '' };
    try {
      asked = readAskedModel(message);
      const { answer, form } = await infer(plane, asked, message, call);
      return writeMessage((out) => {
        const place = out.begin(STREAMED.response);
        writeInferResponse(out, asked, answer, form);
        out.end(place);
      });
    } catch (thrown) {
      if (endsByErrors || isOfCaller(thrown)) throw thrown;
      return failed(asked, toHeadraceError(thrown), call);
    }
  };
  const send = async (answer: Promise<Buffer>, release: () => void): Promise<void> => {
    try {
      const message = await answer;
      release();
      if (!isOver) await call.send(message);
    } catch (thrown) {
      call.fail(thrown);
    } finally {
      running--;
      room?.resolve();
      room = undefined;
    }
  };
  return {
    message(message, release) {
      running++;
      const answer = answerOf(message);
      // It is waited for in its turn; until then nobody hears of a failure.
      answer.catch(() => {});
      last = last.then(() => send(answer, release));
      if (running < MOST_RUNNING) return undefined;
      room ??= Promise.withResolvers<void>();
      return room.promise;
    },
    ended: () => last,
    stopping: () => last,
    closed() {
      isOver = true;
      room?.resolve();
    },
  };
}

/** Who may not ask is told once. */
function isOfCaller(thrown: unknown): boolean {
  return thrown instanceof HeadraceError && (thrown.status === 401 || thrown.status === 403);
}

function failed({ model, version, id }: AskedModel, error: HeadraceError, call: StreamCall): Buffer {
  call.rowsFailed([error]);
  const { detail } = toProblem(error, { requestId: call.requestId, actor: call.actor });
  return writeMessage((out) => {
    out.text(STREAMED.error, ofCall(detail));
    const response = out.begin(STREAMED.response);
    out.text(RESPONSE.model, model);
    if (version !== undefined) out.text(RESPONSE.version, version);
    out.text(RESPONSE.id, id);
    out.end(response);
  });
}
