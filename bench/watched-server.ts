// The server of the project where it is started, in one process: watched as always, or with nothing counted and logged (`off`).

import { openApp, readEnvironment } from '../src/app/index.ts';
import { serveInProcess } from '../src/app/serve-worker.ts';

const isUnwatched = process.argv[2] === 'off';
const environment = { ...readEnvironment(process.env), workingDirectory: process.cwd() };
const app = await openApp({ environment });
const serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, isUnwatched, releasesMemory: true });
process.once('SIGTERM', () => void serving.stop().then(() => app.close()));
console.log(JSON.stringify({ url: serving.url }));
