// Posts many bodies in turn with autocannon, in a process of its own: `varied-load.ts URL FILE CONNECTIONS SECONDS`, where
// FILE is JSON: `headers` by name, and `bodies`, each in base64. Prints autocannon's result.

import { readFileSync } from 'node:fs';
import autocannon, { type Client, type Request } from 'autocannon';

const [url = '', file = '', connections = '1', seconds = '1'] = process.argv.slice(2);
const { headers, bodies } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly string[];
};
const requests: Request[] = bodies.map((body) => ({ method: 'POST', body: Buffer.from(body, 'base64') }));
let client = 0;
const result = await autocannon({
  url,
  connections: Number(connections),
  duration: Number(seconds),
  headers,
  requests,
  // Each connection begins at another body: all begin with the first otherwise.
  setupClient(one: Client) {
    const from = (client++ * 37) % requests.length;
    one.setRequests([...requests.slice(from), ...requests.slice(0, from)]);
  },
});
console.log(JSON.stringify(result));
