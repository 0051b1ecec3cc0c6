// Streams of inference over gRPC, many requests at once: answers in their order, and what a failure does to those behind it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allOf, type GrpcClient } from '../support/grpc-client.ts';
import { type GrpcServing, openGrpcServing } from '../support/grpc-serving.ts';

const STREAM = '/inference.GRPCInferenceService/ModelStreamInfer';
const OK = 0;
const INVALID = 3;
const NOT_FOUND = 5;

let grpc: GrpcServing;
let client: GrpcClient;
beforeAll(async () => {
  grpc = await openGrpcServing();
  client = grpc.client;
}, 60_000);
afterAll(() => grpc.close());

const request = (id: string, model = 'checkout'): object => ({
  model_name: model,
  id,
  inputs: [{ name: 'customer', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from(id)] } }],
});
const without = (id: string): object => ({ ...request(id), inputs: [] });

/** Ids of what was answered, or `error: …` in the place of one that failed; and the stream's status. */
async function ask(requests: readonly object[], headers: Readonly<Record<string, string>> = {}) {
  const stream = client.stream(STREAM, { headers });
  for (const one of requests) stream.write(one);
  stream.end();
  const { messages, status } = await allOf(stream);
  const told = (messages as { error_message?: string; infer_response: { id: string } }[]).map(
    ({ error_message: error, infer_response: { id } }) =>
      `${id}${error === undefined || error === '' ? '' : `: ${error}`}`,
  );
  return { told, code: status.code, details: status.details };
}

describe('a stream of requests', () => {
  it('is answered in their order, each failure in its place', async () => {
    const ids = Array.from({ length: 100 }, (_, at) => `r${at}`);
    const asked = ids.map((id, at) => (at % 10 === 7 ? without(id) : request(id)));
    const { told, code } = await ask(asked);
    expect(code).toBe(OK);
    expect(told).toEqual(ids.map((id, at) => (at % 10 === 7 ? `${id}: customer: the input is missing` : id)));
  });

  it('ends with the first failure’s status where its client asks for that, and those before it are answered', async () => {
    const headers = { triton_grpc_error: 'true' };
    const bad = await ask([request('a'), request('b'), without('c'), request('d'), without('e')], headers);
    expect(bad).toMatchObject({ told: ['a', 'b'], code: INVALID, details: 'customer: the input is missing' });
    const unknown = await ask([request('a', 'nothing'), request('b'), request('c')], headers);
    expect(unknown).toMatchObject({ told: [], code: NOT_FOUND });
    expect(unknown.details).toContain("'nothing' is not found");
    expect(await ask([request('a'), request('b')], headers)).toMatchObject({ told: ['a', 'b'], code: OK });
  });
});
