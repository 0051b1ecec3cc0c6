// The processes of a server: a worker that dies or hangs at the worst moment takes nobody with it, and counters never go backwards; where
// their primary is killed, workers answer what they have begun, keep what they logged, say that they are gone and end by themselves.
// twin: test/unit/app-supervise-workers.test.ts > a worker that dies
// twin: test/unit/app-supervise-workers.test.ts > is killed after the limit and replaced; one that reports is left alone
// twin: test/unit/app-supervise-workers.test.ts > ends what waits when the primary has gone, and asks nobody then
// twin: test/unit/app-rescue-connections.test.ts > are closed where no worker is left
// twin: test/unit/app-watch-workers.test.ts > takes none for silent that was not heard while the watching process stood still
// twin: test/unit/app-stop-serving.test.ts > gives telemetry three seconds for what it has left to send
// twin: test/property/monitoring-totals.test.ts > never go backwards whichever worker is asked, never count twice, and lose only what a killed worker had not sent
// twin: test/unit/monitoring-monitor.test.ts > sums the figures of all workers as if one had counted them all
// twin: test/integration/telemetry-otlp.test.ts > sends the same figures as /metrics shows, the last ones too
// twin: test/contract/registry-traffic-changes.test.ts > is answered once both serve it, where they tell what they serve
// twin: test/contract/minutes.test.ts > are whole rows: what was written before is in what is written next

import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { openApp, readEnvironment } from '../../src/app/index.ts';
import { silentLogger } from '../../src/core/index.ts';
import { openMinutes } from '../../src/monitoring/index.ts';
import { constantModel } from '../support/onnx-model.ts';
import { startOtlpReceiver } from '../support/otlp-receiver.ts';
import { openRaw, type RawSocket, request } from '../support/raw-http.ts';
import { REPOSITORY, type ServerProcess, startServeWithLimits } from '../support/serving-project.ts';
import {
  metricsOf,
  ownProject,
  predict,
  send,
  type TestProject,
  testProject,
  testServer,
} from '../support/test-project.ts';
import { ask, connectToBoth, workersOf } from '../support/worker-processes.ts';

const LIMIT = { timeout: 300_000 };
const WITHIN = { timeout: 60_000, interval: 50 };
const TWO = ['--workers', '2'];

const primaryOf = ({ process: { pid } }: ServerProcess): number => pid as number;
const kill = (pids: readonly number[], signal: NodeJS.Signals): void =>
  pids.forEach((pid) => process.kill(pid, signal));
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
const openRegistry = async ({ directory }: TestProject) => {
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  onTestFinished(() => app.close());
  return app;
};

describe('a worker', LIMIT, () => {
  const project = testProject();

  it('that was killed before its primary writes to it is outlived', async () => {
    const server = await project.serve(TWO);
    for (let time = 0; time < 3; time++) {
      const [kept, victim] = await connectToBoth(server.url);
      // The primary wakes up with the question of one worker, for which it asks the other, and does not know of its end yet.
      kill([victim.pid, primaryOf(server)], 'SIGSTOP');
      const scraped = ask(kept.agent, `${server.url}/metrics`);
      await pause(300);
      kill([victim.pid], 'SIGKILL');
      await pause(300);
      kill([primaryOf(server)], 'SIGCONT');
      await scraped;
      for (const { agent } of [kept, victim]) agent.destroy();
      await expect.poll(() => server.log().match(/a worker crashed/g)?.length ?? 0, WITHIN).toBe(time + 1);
    }
    expect(await server.stop()).toBe(0);
  });

  it('that dies with all others is replaced at the port that was chosen', async () => {
    const server = await project.serve(TWO);
    const workers = workersOf(primaryOf(server));
    kill(workers, 'SIGKILL');
    await expect.poll(() => workersOf(primaryOf(server)).filter((pid) => workers.includes(pid)), WITHIN).toEqual([]);
    const asked = () => ask(false, `${server.url}/health/live`).catch(() => 'nobody');
    await expect.poll(asked, WITHIN).not.toBe('nobody');
    for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    expect(await server.stop()).toBe(0);
  });

  it('that dies with all others leaves nobody waiting whose connection was on its way', async () => {
    const server = await project.serve(TWO);
    const workers = workersOf(primaryOf(server));
    kill(workers, 'SIGSTOP');
    // One goes to each worker, the others wait in the primary.
    const asked = Array.from({ length: 6 }, () => ask(false, `${server.url}/health/live`));
    await pause(500);
    kill(workers, 'SIGKILL');
    // Each is answered, or its connection ends.
    await Promise.allSettled(asked);
    expect(await server.stop()).toBe(0);
  });

  it('that is killed under load takes nothing from counters, but at most its last second', async () => {
    const server = await project.serve(TWO);
    project.json('endpoints traffic checkout --shadow 2:50');
    const series = /^(headrace_\w+(?:_total|_count|_bucket|_sum)(?:\{.*\})?) (\S+)$/gm;
    const scrape = async () =>
      new Map([...(await metricsOf(server)).matchAll(series)].map(([, name = '', value]) => [name, Number(value)]));
    const requests = async () => (await scrape()).get('headrace_requests_total{endpoint="checkout"}') ?? 0;
    let isOver = false;
    const answeredAt: number[] = [];
    const clients = Array.from({ length: 4 }, async () => {
      // The killed worker's connections break.
      while (!isOver)
        if ((await predict(server, undefined, {}, 2000).catch(() => undefined))?.status === 200)
          answeredAt.push(performance.now());
    });
    const fallen: string[] = [];
    const most = new Map<string, number>();
    let scrapes = 0;
    // Several, since a connection that was on its way to the killed worker is answered by nobody.
    const scrapers = Array.from({ length: 4 }, async () => {
      for (; !isOver; await pause(20)) {
        const before = new Map(most);
        const now = await scrape().catch(() => undefined);
        if (now === undefined) continue;
        scrapes++;
        // Whatever an answer has told, an answer to what was asked afterwards tells too.
        for (const [name, value] of before)
          if ((now.get(name) ?? 0) < value) fallen.push(`${name}: ${value}, then ${String(now.get(name))}`);
        for (const [name, value] of now) most.set(name, Math.max(value, most.get(name) ?? 0));
      }
    });
    onTestFinished(() => void (isOver = true));
    /** A worker reports once a second, and may be late. */
    const lastMs = 1200;
    const answeredBefore = (at: number): number => answeredAt.filter((one) => one <= at).length;
    // So that the last second is not all there was.
    await expect.poll(() => answeredBefore(performance.now() - lastMs), WITHIN).toBeGreaterThan(100);
    const [victim = 0] = workersOf(primaryOf(server));
    kill([victim], 'SIGKILL');
    const killedAt = performance.now();
    const [scraped, answered] = [scrapes, answeredAt.length];
    await expect.poll(() => scrapes, WITHIN).toBeGreaterThan(scraped + 20);
    await expect.poll(() => answeredAt.length, WITHIN).toBeGreaterThan(answered + 100);
    expect(workersOf(primaryOf(server)).filter((one) => one !== victim)).toHaveLength(2);
    isOver = true;
    await Promise.all([...clients, ...scrapers]);
    expect(fallen.slice(0, 5)).toEqual([]);
    const lost = answeredBefore(killedAt + 100) - answeredBefore(killedAt - lastMs);
    await expect.poll(requests, WITHIN).toBeGreaterThanOrEqual(answeredAt.length - lost);
    expect(await requests()).toBeLessThanOrEqual(answeredAt.length + clients.length);
    expect(await server.stop()).toBe(0);
  });

  it('sends its spans itself, and its figures by the primary, which sends those of all once', async () => {
    const receiver = await startOtlpReceiver();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, HEADRACE_TELEMETRY_SAMPLE_RATIO: '1' };
    const server = await project.serve(TWO, env);
    for (let i = 0; i < 40; i++) expect((await predict(server)).status).toBe(200);
    expect(await server.stop()).toBe(0);
    await receiver.close();
    const requests = receiver.spans.filter(({ kind }) => kind === 2);
    expect(requests).toHaveLength(40);
    // A request's id begins with its process.
    const processes = requests.map(({ attributes }) => String(attributes['headrace.request_id']).split('-')[0]);
    expect(new Set(processes).size).toBe(2);
    expect(new Set(receiver.exports.flat().map(({ instance }) => instance)).size).toBe(1);
    // What the workers counted last, as they stopped.
    expect(receiver.exports.at(-1)?.find(({ metric }) => metric === 'headrace.requests')?.value).toBe(40);
  });

  it('loads OpenTelemetry only where somebody asks for it', async () => {
    const hook = `if (name.startsWith('@opentelemetry/')) console.error('LOADS ' + name); return next(name, context);`;
    const hooks = `import { registerHooks } from 'node:module';\nregisterHooks({ resolve(name, context, next) { ${hook} } });`;
    const NODE_OPTIONS = `--import=${project.write('loads.mjs', hooks)}`;
    for (const asks of [false, true]) {
      const receiver = await startOtlpReceiver();
      const server = await project.serve([], {
        NODE_OPTIONS,
        ...(asks ? { HEADRACE_TELEMETRY_OTLP: receiver.url } : {}),
      });
      expect((await predict(server)).status).toBe(200);
      expect(await server.stop()).toBe(0);
      await receiver.close();
      const loaded = new Set([...server.log().matchAll(/^LOADS (.*)$/gm)].map(([, name]) => name));
      if (asks) expect(loaded).toContain('@opentelemetry/sdk-node');
      // prom-client brings it.
      else expect(loaded.difference(new Set(['@opentelemetry/api']))).toEqual(new Set());
    }
  });

  it('that is killed during a rollout loses about a second of its minutes, and nothing else', async () => {
    const own = ownProject();
    const app = await openRegistry(own);
    const server = await own.serve(['--workers', '1']);
    const variants = [
      { name: 'stable', version: 1, weight: 50 },
      { name: 'candidate', version: 2, weight: 50 },
    ];
    const rollout = { id: 'r1', candidate: { name: 'candidate', version: 2 } };
    const { endpoints } = await app.registry();
    await endpoints.setTraffic('checkout', { variants }, { actor: 'test', rollout, waitMs: 20_000 });
    const ask40 = async (): Promise<void> => {
      for (let at = 0; at < 40; at++)
        expect((await predict(server, [{ customer: `unit ${at}`, amount: 1 }])).status).toBe(200);
    };
    const minutes = await openMinutes(await app.database(), app.clock);
    const written = async (): Promise<number> =>
      (await minutes.read({ endpoint: 'checkout', fromMicros: 0 })).reduce((sum, { rows }) => sum + rows, 0);
    await ask40();
    // Well within the ten seconds of an endpoint without a rollout.
    await expect.poll(written, { timeout: 8_000, interval: 100 }).toBe(40);
    await ask40();
    server.process.kill('SIGKILL');
    await expect.poll(() => server.process.signalCode).toBe('SIGKILL');
    const kept = await written();
    expect(kept).toBeGreaterThanOrEqual(40);
    expect(kept).toBeLessThanOrEqual(80);
  });
});

describe('a worker that hangs', LIMIT, () => {
  const SILENCE_MS = 4000;
  const KILLED = 'a worker told nothing for too long and is killed';
  /** An amount of -1 is never done with. */
  const ENDLESS = REPOSITORY.replace('request.amount != null &&', 'endless(request.amount) &&').concat(`
function endless(amount: number | null): amount is number {
  let rounds = 0;
  while (amount === -1) rounds++;
  return amount !== null && rounds === 0;
}
`);
  const files = { 'feature_repo/shop.ts': ENDLESS, 'quarter.onnx': constantModel(4, 0.25) };
  const project = testProject(files, 'apply', 'models register returns quarter.onnx');
  let server: ServerProcess;
  beforeEach(async () => {
    server = await startServeWithLimits(project, { silenceMs: SILENCE_MS });
    return () => void server.process.kill('SIGKILL');
  });

  it('is replaced, and who came to it is answered by another', async () => {
    const [kept, victim] = await connectToBoth(server.url);
    kill([victim.pid], 'SIGSTOP');
    const asked = Promise.all(Array.from({ length: 4 }, () => ask(false, `${server.url}/health/live`)));
    await expect.poll(() => workersOf(primaryOf(server)).includes(victim.pid), WITHIN).toBe(false);
    await asked;
    const [line = '{}'] = server
      .log()
      .split('\n')
      .filter((one) => one.includes(KILLED));
    const { pid, silentMs } = JSON.parse(line) as { pid?: number; silentMs?: number };
    expect(pid).toBe(victim.pid);
    expect(silentMs).toBeGreaterThan(SILENCE_MS - 500);
    const both = await connectToBoth(server.url);
    expect(both.map((one) => one.pid)).toContain(kept.pid);
    for (const { agent } of [kept, victim, ...both]) agent.destroy();
    expect(await server.stop()).toBe(0);
  });

  it('in a loop without an end, of a function of the definitions, is replaced', async () => {
    await expect(predict(server, [{ customer: 'ada', amount: -1 }])).rejects.toThrow();
    expect(server.log()).toContain(KILLED);
    for (const { agent } of await connectToBoth(server.url)) agent.destroy();
    expect(await server.stop()).toBe(0);
  });
});

describe('a primary that is killed', LIMIT, () => {
  const BODY = JSON.stringify({ inputs: [{ customer: 'ada', amount: 1 }] });
  const WHOLE = request('POST', '/v1/endpoints/checkout/predict', ['Host: localhost'], BODY);
  const HALF = Math.floor(WHOLE.length - BODY.length / 2);

  /** A server of two workers, of which each has its part of so many requests that were sent by half. */
  async function start(count: number, env: Readonly<Record<string, string>> = {}) {
    const project = ownProject();
    const server = await project.serve(TWO, env);
    const workers = workersOf(primaryOf(server));
    expect(workers).toHaveLength(2);
    onTestFinished(() => kill([primaryOf(server), ...workers].filter(isAlive), 'SIGKILL'));
    const open = async (text: string): Promise<RawSocket> => {
      const raw = await openRaw(server.url);
      onTestFinished(() => void raw.socket.destroy());
      raw.socket.write(text);
      return raw;
    };
    const begun: RawSocket[] = [];
    for (let at = 0; at < count; at++) begun.push(await open(WHOLE.slice(0, HALF)));
    await pause(500);
    const serversLeft = async () => (await (await openRegistry(project)).registry()).servers.list(true);
    const expectEnded = async () => {
      await expect.poll(() => workers.filter(isAlive), WITHIN).toEqual([]);
      expect(await serversLeft()).toEqual([]);
    };
    return { project, server, workers, begun, open, serversLeft, expectEnded };
  }
  async function expectAnswered(begun: readonly RawSocket[], status = 200): Promise<void> {
    for (const { closed, text } of begun) {
      await closed;
      expect(text()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  }
  const deafen = ({ process: child }: ServerProcess): void => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  };

  it('leaves no request without its answer, and no worker', async () => {
    const env = { HEADRACE_SERVER_DRAIN_TIMEOUT_MS: '3000' };
    // Turn by turn: each worker has two that it answers, and one that never comes to its end.
    const { project, server, begun, serversLeft, expectEnded } = await start(6, env);
    const [answered, endless] = [begun.slice(0, 4), begun.slice(4)];
    expect(await serversLeft()).toHaveLength(2);
    server.process.kill('SIGKILL');
    await expect.poll(() => isAlive(primaryOf(server))).toBe(false);
    await pause(1000);
    for (const { socket } of answered) socket.write(WHOLE.slice(HALF));
    await expectAnswered(answered);
    await expectEnded();
    for (const { closed } of endless) await closed;
    const sql = 'SELECT count(*) AS n FROM predictions';
    expect(project.json(['logs', 'query', '--sql', sql])).toMatchObject({ rows: [{ n: 4 }] });
  });

  it('and of whose end a worker hears only as it writes to it ends none', async () => {
    const { server, workers, begun, open, expectEnded } = await start(2);
    const scrapes = [await open(''), await open('')];
    await pause(500);
    // Each wakes up with a question for which it asks its primary, and does not know of its end yet.
    kill(workers, 'SIGSTOP');
    for (const { socket } of scrapes) socket.write(request('GET', '/metrics', ['Host: localhost']));
    await pause(100);
    server.process.kill('SIGKILL');
    await pause(300);
    kill(workers, 'SIGCONT');
    await pause(500);
    for (const { socket } of begun) socket.write(WHOLE.slice(HALF));
    await expectAnswered(begun);
    // Of what the others had counted nobody tells any more.
    await expectAnswered(scrapes, 504);
    await expectEnded();
  });

  it('with who reads what it logs ends none', async () => {
    const { server, begun, expectEnded } = await start(4, { HEADRACE_LOG_REQUESTS: 'all' });
    deafen(server);
    server.process.kill('SIGKILL');
    await pause(500);
    // One after another: what the first is logged by must not end those after it.
    for (const one of begun) {
      one.socket.write(WHOLE.slice(HALF));
      await expectAnswered([one]);
    }
    await expectEnded();
  });

  it('or its log without a reader ends neither', async () => {
    const { server, workers, open } = await start(0, { HEADRACE_LOG_REQUESTS: 'all' });
    const [victim = 0, left] = workers;
    deafen(server);
    // The primary tells of it.
    kill([victim], 'SIGKILL');
    await expect.poll(() => workersOf(primaryOf(server)).filter((pid) => pid !== victim).length, WITHIN).toBe(2);
    for (let at = 0; at < 4; at++)
      await expectAnswered([await open(WHOLE.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))]);
    expect(workersOf(primaryOf(server))).toContain(left);
    expect(await server.stop()).toBe(0);
  });
});

describe('traffic that is changed at one of two servers', LIMIT, () => {
  const project = testProject();
  const servers = [testServer(project, TWO), testServer(project)] as const;

  it('is answered once every worker of every server predicts by it, and shown by each', async () => {
    for (const version of [2, 1, 2, 1, 2]) {
      const variants = [{ name: 'stable', version, weight: 100 }];
      const set = await send(`${servers[0].url}/v1/endpoints/checkout`, { variants }, { method: 'PUT' });
      expect(set).toMatchObject({ status: 200, body: { waits_for: [] } });
      const all = servers.flatMap((server) => Array.from({ length: 8 }, () => predict(server)));
      const versions = (await Promise.all(all)).map(({ predictions }) => predictions[0]?.version);
      expect(new Set(versions)).toEqual(new Set([version]));
    }
    const [first, ...lines] = project.run('endpoints show checkout').stdout.trimEnd().split('\n').slice(4);
    expect(first).toMatch(/^SERVER +STATE +VERSIONS$/);
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^\S+ \d+ +serving +2$/);
    const told = { state: 'serving', versions: [2], reason: null };
    const shown = { waitsFor: [], servers: [told, told, told] };
    expect(project.json('endpoints show checkout')).toMatchObject(shown);
  });
});
