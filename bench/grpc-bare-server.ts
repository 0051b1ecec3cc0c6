// The floor under inference over gRPC: a bare server of @grpc/grpc-js, its messages by @grpc/proto-loader, that runs the model on what a
// request says without a look. Run as `node bench/grpc-bare-server.ts MODEL.onnx`; prints its address.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { openSession, toOrt } from '../src/models/onnx/ort-session.ts';

interface Asked {
  readonly id: string;
  readonly inputs: readonly [{ readonly shape: readonly number[] }];
  readonly raw_input_contents: readonly [Buffer];
}

const session = openSession(readFileSync(process.argv[2] ?? ''), ['cpu'], 1);
const proto = fileURLToPath(new URL('../proto', import.meta.url));
const definition = loadSync('inference/grpc_service.proto', { includeDirs: [proto], keepCase: true, longs: Number });
const methods: UntypedServiceImplementation = {
  ModelInfer({ request }: { request: Asked }, done: (failure: null, answer: object) => void) {
    const [{ shape }] = request.inputs;
    const [bytes] = request.raw_input_contents;
    const data = new Float32Array(bytes.length / 4);
    new Uint8Array(data.buffer).set(bytes);
    const [output] = session.run([toOrt({ type: 'float32', shape, data })]);
    const given = output?.data as Float32Array;
    done(null, {
      model_name: 'trees',
      model_version: '1',
      id: request.id,
      outputs: [{ name: 'probability', datatype: 'FP32', shape: output?.shape }],
      raw_output_contents: [Buffer.from(given.buffer, given.byteOffset, given.byteLength)],
    });
  },
};
const server = new Server();
server.addService(definition['inference.GRPCInferenceService'] as ServiceDefinition, methods);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (failure, port) => {
  if (failure !== null) throw failure;
  console.log(JSON.stringify({ url: `127.0.0.1:${port}` }));
});
process.on('SIGTERM', () => process.exit(0));
