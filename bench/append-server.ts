// The floor under the push benchmark: a bare Fastify route that appends the body, as it came and without a look at it, to a
// file and answers once that is on disk; what comes while the disk syncs shares the next write and sync. Run as `node bench/append-server.ts FILE
// LENGTH`, LENGTH of the answer; prints its URL.

import { open } from 'node:fs/promises';
import fastify from 'fastify';

const [path = 'appended', length = '100'] = process.argv.slice(2);
const answer = JSON.stringify({ ack: 'x'.repeat(Math.max(0, Number(length) - '{"ack":""}'.length)) });
const file = await open(path, 'a');
let waiting: { readonly body: Buffer; readonly done: () => void }[] = [];
let isWriting = false;

async function write(): Promise<void> {
  isWriting = true;
  await Promise.resolve();
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    await file.write(
      batch.length === 1 ? (batch[0] as { body: Buffer }).body : Buffer.concat(batch.map(({ body }) => body)),
    );
    await file.datasync();
    for (const { done } of batch) done();
  }
  isWriting = false;
}

const app = fastify({ bodyLimit: 16 * 1024 * 1024 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post<{ Body: Buffer }>('/append', async ({ body }, reply) => {
  await new Promise<void>((done) => {
    waiting.push({ body, done });
    if (!isWriting) void write();
  });
  return reply.header('content-type', 'application/json; charset=utf-8').send(answer);
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));
process.on('SIGTERM', () => process.exit(0));
