// The floor under the features-read benchmark: a bare Fastify route that parses the same body, gets the same records by
// one HMGET a row over a raw socket, a turn's in one write, decodes nothing, and answers a constant of as many bytes.
// Run as `node bench/redis-floor-server.ts PORT PROJECT FIELDS LENGTH`; prints its URL.

import { connect } from 'node:net';
import fastify from 'fastify';
import { encodeKey } from '../src/core/index.ts';

const [port = '', project = '', fields = '[]', length = '200'] = process.argv.slice(2);
const names = JSON.parse(fields) as readonly string[];
const head = `*${names.length + 2}\r\n$5\r\nHMGET\r\n`;
const tail = names.map((name) => `$${name.length}\r\n${name}\r\n`).join('');
const answer = JSON.stringify({ ack: 'x'.repeat(Math.max(0, Number(length) - '{"ack":""}'.length)) });
const CR = 13;

const socket = connect(Number(port), '127.0.0.1');
socket.setNoDelay(true);
/** Who waits, in order, and for how many replies. */
const waiting: { left: number; readonly done: () => void }[] = [];
let asked = '';
/** Of what came: bytes of a value that are not there yet, values that the reply lacks, a line cut by a chunk. */
let skip = 0;
let missing = 0;
let cut = '';

function hmget(users: readonly string[]): Promise<void> {
  if (asked === '') setImmediate(flush);
  for (const user of users) {
    const key = Buffer.from(encodeKey([{ kind: 'string' }], [user]) ?? []).toString('base64url');
    const name = `hr:{${project}:user:${key}}`;
    asked += `${head}$${name.length}\r\n${name}\r\n${tail}`;
  }
  return new Promise((done) => waiting.push({ left: users.length, done }));
}

function flush(): void {
  socket.write(asked, 'latin1');
  asked = '';
}

socket.on('data', (chunk: Buffer) => {
  for (let at = 0; at < chunk.length; ) {
    if (skip > 0) {
      const skipped = Math.min(skip, chunk.length - at);
      at += skipped;
      skip -= skipped;
      continue;
    }
    if (missing === 0 || cut !== '' || !readLine(chunk, at)) {
      const end = chunk.indexOf(10, at);
      const line = cut + chunk.toString('latin1', at, end < 0 ? chunk.length : end + 1);
      at = end < 0 ? chunk.length : end + 1;
      cut = end < 0 ? line : '';
      if (end >= 0) take(line.charCodeAt(0), Number(line.slice(1, -2)));
    } else {
      at = lineEnd;
    }
  }
});

let lineEnd = 0;
/** A value's head that lies whole in the chunk. */
function readLine(chunk: Buffer, from: number): boolean {
  let size = 0;
  for (let at = from + 1; at + 1 < chunk.length; at++) {
    const byte = chunk[at] as number;
    if (byte === CR) {
      lineEnd = at + 2;
      take(36, size);
      return true;
    }
    if (byte === 45) return false;
    size = size * 10 + byte - 48;
  }
  return false;
}

function take(mark: number, size: number): void {
  if (mark === 42) {
    missing = size;
    return;
  }
  if (mark !== 36) throw new Error('Redis answered an error');
  if (size < 0) throw new Error('a record is not there');
  skip = size + 2;
  if (--missing > 0) return;
  const [first] = waiting;
  if (first === undefined || --first.left > 0) return;
  waiting.shift();
  first.done();
}

const app = fastify();
app.post<{ Body: { rows: { user: string }[] } }>('/read', async (request, reply) => {
  await hmget(request.body.rows.map(({ user }) => user));
  return reply.header('content-type', 'application/json; charset=utf-8').send(answer);
});
console.log(JSON.stringify({ url: await app.listen({ host: '127.0.0.1', port: 0 }) }));
process.on('SIGTERM', () => process.exit(0));
