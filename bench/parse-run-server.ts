// The floor under many rows: a bare Fastify route that parses an inference request, runs the model on what it says without a
// look, and stringifies what that gives. Run as `node bench/parse-run-server.ts MODEL.onnx`; prints its URL.

import { readFileSync } from 'node:fs';
import fastify from 'fastify';
import { openSession, toOrt } from '../src/models/onnx/ort-session.ts';

const session = openSession(readFileSync(process.argv[2] ?? ''), ['cpu'], 1);
const app = fastify();
app.post<{ Body: { inputs: [{ shape: number[]; data: number[] }] } }>('/infer', (request, reply) => {
  const [{ shape, data }] = request.body.inputs;
  const [output] = session.run([toOrt({ type: 'float32', shape, data: Float32Array.from(data) })]);
  const outputs = [
    { name: 'probability', datatype: 'FP32', shape: output?.shape, data: Array.from(output?.data as Float32Array) },
  ];
  reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify({ model_name: 'trees', model_version: '1', outputs }));
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));
process.on('SIGTERM', () => process.exit(0));
