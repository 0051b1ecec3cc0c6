// The floor under the predict benchmark: a bare Fastify route that parses the same body and answers a constant of the same
// length. Run as `node bench/ack-server.ts LENGTH`; prints its URL.

import fastify from 'fastify';

const length = Number(process.argv[2] ?? '200');
const answer = JSON.stringify({ ack: 'x'.repeat(Math.max(0, length - '{"ack":""}'.length)) });
const app = fastify();
app.post('/ack', (_request, reply) => {
  reply.header('content-type', 'application/json; charset=utf-8').send(answer);
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));
process.on('SIGTERM', () => process.exit(0));
