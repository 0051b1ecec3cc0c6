// `headrace serve` on a free port with two workers whose primary has less patience: `serve-with-limits.ts LIMITS`, as JSON.

import { openApp, startServer, stopSignal } from '../../src/app/index.ts';

const stopped = stopSignal();
const app = await openApp({});
const server = await startServer(app, { port: 0, workers: 2, limits: JSON.parse(process.argv[2] ?? '{}') as object });
console.log(JSON.stringify({ url: server.url }));
await stopped;
await server.stop();
process.exit(0);
