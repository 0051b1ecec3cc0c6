// The floor under binary tensors: a bare Fastify route that reads a body whole and gives it back. Prints its URL.

import fastify from 'fastify';

const app = fastify({ bodyLimit: 64 * 1024 * 1024 });
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/echo', (request, reply) => {
  reply.header('content-type', 'application/octet-stream').send(request.body);
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));
process.on('SIGTERM', () => process.exit(0));
