// The process that starts the workers is killed: each worker answers what it has begun, keeps what it logged, says that it is
// gone and ends by itself.
// twin: test/unit/app-supervise-workers.test.ts > ends what waits when the primary has gone, and asks nobody then
// twin: test/unit/app-stop-serving.test.ts > gives telemetry three seconds for what it has left to send

import { afterEach, beforeEach, expect, it } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openRaw, type RawSocket, request } from '../support/raw-http.ts';
import { createServingProject, headraceJson, type Project, startServe } from '../support/serving-project.ts';
import { workersOf } from '../support/worker-processes.ts';

const BODY = JSON.stringify({ inputs: [{ customer: 'ada', amount: 1 }] });
const WHOLE = request('POST', '/v1/endpoints/checkout/predict', ['Host: localhost'], BODY);
const DRAIN_MS = 3000;

let project: Project;
beforeEach(() => {
  project = createServingProject();
}, 60_000);
const opened: RawSocket[] = [];
afterEach(() => {
  for (const { socket } of opened.splice(0)) socket.destroy();
  project.remove();
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const serversLeft = async (): Promise<number> => {
  const environment = { ...readEnvironment({}), workingDirectory: project.directory };
  const app = await openApp({ environment, logger: silentLogger, access: 'read' });
  try {
    return (await (await app.registry()).servers.list(true)).length;
  } finally {
    await app.close();
  }
};

const begin = async (url: string, text: string): Promise<RawSocket> => {
  const raw = await openRaw(url);
  opened.push(raw);
  raw.socket.write(text);
  return raw;
};

it('leaves no request without its answer, and no worker', { timeout: 300_000 }, async () => {
  const server = await startServe(project, ['--workers', '2'], { HEADRACE_SERVER_DRAIN_TIMEOUT_MS: String(DRAIN_MS) });
  const workers = workersOf(server.process.pid as number);
  try {
    expect(workers).toHaveLength(2);
    expect(await serversLeft()).toBe(2);
    // Turn by turn: each worker has two that it answers, and one that never comes to its end.
    const half = Math.floor(WHOLE.length - BODY.length / 2);
    const begun: RawSocket[] = [];
    for (let at = 0; at < 4; at++) begun.push(await begin(server.url, WHOLE.slice(0, half)));
    const endless = [await begin(server.url, WHOLE.slice(0, half)), await begin(server.url, WHOLE.slice(0, half))];
    await new Promise((resolve) => setTimeout(resolve, 500));

    server.process.kill('SIGKILL');
    await expect.poll(() => isAlive(server.process.pid as number)).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const { socket } of begun) socket.write(WHOLE.slice(half));
    for (const { closed, text } of begun) {
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
    }
    await expect.poll(() => workers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
    for (const { closed } of endless) await closed;
    expect(await serversLeft()).toBe(0);
    expect(headraceJson(project, ['logs', 'query', '--sql', 'SELECT count(*) AS n FROM predictions'])).toMatchObject({
      rows: [{ n: 4 }],
    });
  } finally {
    for (const pid of [server.process.pid as number, ...workers]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

it('that is told of only as a worker writes to it ends none', { timeout: 300_000 }, async () => {
  const server = await startServe(project, ['--workers', '2']);
  const workers = workersOf(server.process.pid as number);
  try {
    const half = WHOLE.length - BODY.length / 2;
    const begun = [await begin(server.url, WHOLE.slice(0, half)), await begin(server.url, WHOLE.slice(0, half))];
    const scrapes = [await openRaw(server.url), await openRaw(server.url)];
    opened.push(...scrapes);
    await new Promise((resolve) => setTimeout(resolve, 500));

    // Each wakes up with a question for which it asks its primary, and does not know of its end yet.
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    for (const { socket } of scrapes) socket.write(request('GET', '/metrics', ['Host: localhost']));
    await new Promise((resolve) => setTimeout(resolve, 100));
    server.process.kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const pid of workers) process.kill(pid, 'SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const { socket } of begun) socket.write(WHOLE.slice(half));
    for (const { closed, text } of begun) {
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
    }
    // Of what the others had counted nobody tells any more.
    for (const { closed, text } of scrapes) {
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 504 /);
    }
    await expect.poll(() => workers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
    expect(await serversLeft()).toBe(0);
  } finally {
    for (const pid of [server.process.pid as number, ...workers]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

it('and who reads what it logs ends none', { timeout: 300_000 }, async () => {
  const server = await startServe(project, ['--workers', '2'], { HEADRACE_LOG_REQUESTS: 'all' });
  const workers = workersOf(server.process.pid as number);
  try {
    const half = WHOLE.length - BODY.length / 2;
    const begun: RawSocket[] = [];
    for (let at = 0; at < 4; at++) begun.push(await begin(server.url, WHOLE.slice(0, half)));
    await new Promise((resolve) => setTimeout(resolve, 500));

    server.process.stdout?.destroy();
    server.process.stderr?.destroy();
    server.process.kill('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 500));
    // One after another: what the first is logged by must not end those after it.
    for (const { socket, closed, text } of begun) {
      socket.write(WHOLE.slice(half));
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 200 /);
    }
    await expect.poll(() => workers.filter(isAlive), { timeout: 60_000 }).toEqual([]);
    expect(await serversLeft()).toBe(0);
  } finally {
    for (const pid of [server.process.pid as number, ...workers]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

it('or its primary’s log without a reader ends neither', { timeout: 300_000 }, async () => {
  const server = await startServe(project, ['--workers', '2'], { HEADRACE_LOG_REQUESTS: 'all' });
  try {
    const primary = server.process.pid as number;
    const [victim, ...left] = workersOf(primary);
    server.process.stdout?.destroy();
    server.process.stderr?.destroy();
    // The primary tells of it.
    process.kill(victim as number, 'SIGKILL');
    await expect.poll(() => workersOf(primary).filter((pid) => pid !== victim).length, { timeout: 60_000 }).toBe(2);
    for (let at = 0; at < 4; at++) {
      const raw = await begin(server.url, WHOLE.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      await raw.closed;
      expect(raw.text()).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(workersOf(primary)).toEqual(expect.arrayContaining(left));
  } finally {
    expect(await server.stop()).toBe(0);
  }
});
