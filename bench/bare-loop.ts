// The floor of a slow model: nothing but the runtime, one batch after another. `node bench/bare-loop.ts FILE ROWS SECONDS`
// prints rows a second. The file's input is one column, `x`.

import { InferenceSession, Tensor } from 'onnxruntime-node';

const [file = '', rows = '8', seconds = '1'] = process.argv.slice(2);
const session = await InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const count = Number(rows);
const x = new Tensor('float32', new Float32Array(count).fill(0.5), [count, 1]);
await session.run({ x });
let batches = 0;
const startMs = performance.now();
while (performance.now() - startMs < Number(seconds) * 1000) {
  await session.run({ x });
  batches++;
}
console.log((batches * count * 1000) / (performance.now() - startMs));
