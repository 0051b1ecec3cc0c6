// Inference over gRPC beside a bare server of @grpc/grpc-js that runs the same model: rounds in turn, medians; what both answer is held
// against each other first.

import { connect } from 'node:http2';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { frame } from '../test/support/grpc-transport.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { callFor, callOnce } from './grpc-load.ts';
import { rateOf, takeTurns } from './in-turn.ts';
import type { LoadResult } from './load.ts';
import { createPlainProject } from './plain-project.ts';
import type { Figure, Section } from './report.ts';
import { type BenchServer, startHeadrace, startScript } from './servers.ts';

const [FLOATS, TREES, DEPTH] = [30, 200, 5];
const MESSAGES = 500;
const [CONNECTIONS, CALLS] = [4, 64];
/** Of the bare server's calls a second. */
const LEAST = 0.7;
const PATH = '/inference.GRPCInferenceService/ModelInfer';

export async function grpcSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const [seconds, rounds] = isQuick ? [1, 2] : [2, 9];
  const project = await createPlainProject({ trees: treesModel(FLOATS, TREES, DEPTH) });
  const servers: BenchServer[] = [];
  const figures: Figure[] = [];
  try {
    const server = await startHeadrace(project.directory, { grpcPort: 0 });
    servers.push(server);
    const bare = await startScript('grpc-bare-server.ts', [project.fileOf('trees')], project.directory);
    servers.push(bare);
    const addresses = [server.grpc, bare.url] as const;
    for (const rows of [1, 64]) {
      const messages = messagesOf(rows);
      await checkAlike(addresses, messages.slice(0, 50));
      const load = { path: PATH, messages, connections: CONNECTIONS, calls: CALLS };
      const calls = addresses.map((address) => (span: number) => callFor({ ...load, address, seconds: span }));
      const [own, floor] = (await takeTurns(calls, seconds, rounds)) as [LoadResult, LoadResult];
      figures.push(figureOf(rows, own, floor));
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    project.remove();
  }
  return {
    title: 'Open Inference Protocol over gRPC',
    about: `A plain model of ${FLOATS} floats and ${TREES} trees, ${MESSAGES} different messages with raw contents in turn, ${CALLS} calls at once over ${CONNECTIONS} connections; metrics on. The floor is a bare server of @grpc/grpc-js in one process that runs the same model on the same messages.`,
    figures,
  };
}

function figureOf(rows: number, own: LoadResult, bare: LoadResult): Figure {
  const ratio = own.requestsPerSecond / bare.requestsPerSecond;
  const isWhole = own.failures + bare.failures === 0;
  return {
    name: rows === 1 ? 'one row, one worker' : `${rows} rows, one worker`,
    value: rateOf(own),
    floor: `bare: ${rateOf(bare)}`,
    ratio: ratio.toFixed(3),
    mustBe: `≥ ${LEAST}`,
    isReached: ratio >= LEAST && isWhole,
  };
}

const proto = fileURLToPath(new URL('../proto/', import.meta.url));
const root = new protobuf.Root();
root.resolvePath = (_, target) => `${proto}${target.replace(proto, '')}`;
root.loadSync('inference/grpc_service.proto', { keepCase: true });

function messagesOf(rows: number): readonly Buffer[] {
  const request = root.lookupType('inference.ModelInferRequest');
  return Array.from({ length: MESSAGES }, (_, message) => {
    const data = Float32Array.from({ length: rows * FLOATS }, (__, at) => ((message * 31 + at * 17) % 1000) / 7);
    const bytes = request
      .encode({
        model_name: 'trees',
        id: String(message),
        inputs: [{ name: 'x', datatype: 'FP32', shape: [rows, FLOATS] }],
        raw_input_contents: [Buffer.from(data.buffer)],
      })
      .finish();
    return frame(bytes);
  });
}

async function checkAlike(addresses: readonly string[], messages: readonly Buffer[]): Promise<void> {
  const response = root.lookupType('inference.ModelInferResponse');
  const sessions = addresses.map((address) => connect(`http://${address}`));
  for (const message of messages) {
    const [own, bare] = await Promise.all(
      sessions.map(async (session) => {
        const { status, body } = await callOnce(session, PATH, message);
        if (status !== '0') throw new Error(`a call was answered with status ${status}`);
        return JSON.stringify(response.decode(body.subarray(5)).toJSON());
      }),
    );
    if (own !== bare) throw new Error(`the two servers differ: ${own} and ${bare}`);
  }
  for (const session of sessions) session.close();
}
