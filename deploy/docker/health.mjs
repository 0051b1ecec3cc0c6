// Exits with 0 where the server of this container is ready. The image has no curl.

import { request as http } from 'node:http';
import { request as https } from 'node:https';

const port = Number(process.env['HEADRACE_SERVER_PORT'] ?? 8080);
// Its certificate is of the name that clients know it by, not of this address.
const options = { host: '127.0.0.1', port, path: '/health/ready', timeout: 2500, rejectUnauthorized: false };
const ask = process.env['HEADRACE_SERVER_TLS_CERT'] ? https : http;
const asked = ask(options, (answer) => {
  answer.resume();
  process.exitCode = answer.statusCode === 200 ? 0 : 1;
});
asked.on('timeout', () => asked.destroy(new Error('no answer within 2.5 s')));
asked.on('error', ({ message }) => {
  console.error(message);
  process.exitCode = 1;
});
asked.end();
