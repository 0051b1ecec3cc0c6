// headrace/client beside a server process, over a network that drops, delays and refuses; and `headrace types`.

import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { type FaultyProxy, type Fault, startFaultyProxy } from '../support/faulty-proxy.ts';
import { freePort } from '../support/free-port.ts';
import {
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from '../support/serving-project.ts';

let project: Project;
let server: ServerProcess;
let proxy: FaultyProxy;
beforeAll(async () => {
  project = createServingProject();
  server = await startServe(project);
  proxy = await startFaultyProxy(server.url);
}, 120_000);
afterAll(async () => {
  await proxy.stop();
  await server.stop();
  project.remove();
});
afterEach(() => {
  proxy.fault = () => undefined;
  proxy.requests = 0;
});

/** The first requests fail so; what comes after passes. */
function failFirst(fault: Fault, times = 1): void {
  let left = times;
  proxy.requests = 0;
  proxy.fault = () => (left-- > 0 ? fault : undefined);
}

const ROW = { customer: 'ada', amount: 7.5 };

describe('over a network that fails', () => {
  const open = () => createClient({ url: proxy.endpoint });

  it('counts a push once whose answers were lost', async () => {
    const client = open();
    const bought = { customer: 'eve', amount: 5, bought_at: new Date() };
    failFirst({ kind: 'drop' }, 2);
    expect(await client.push('purchases', [bought])).toMatchObject({ accepted: 1, duplicate: true });
    expect(proxy.requests).toBe(3);
    const { features } = await client.readFeatures('numbers', { customer: 'eve' });
    expect(features['history__purchases_1d']).toBe('1');
  });

  it.each<Fault>([{ kind: 'drop' }, { kind: 'cut', afterBytes: 3 }])(
    'does not predict twice where the answer was lost by a $kind, unless told that it may',
    async (fault) => {
      const client = open();
      failFirst(fault);
      await expect(client.predict('checkout', ROW)).rejects.toMatchObject({ code: 'HR_CONNECTION_LOST', attempts: 1 });
      expect(proxy.requests).toBe(1);
      failFirst(fault);
      expect(await client.predict('checkout', ROW, { mayRepeat: true })).toMatchObject({ variant: 'stable' });
      expect(proxy.requests).toBe(2);
    },
  );

  it('reads again over lost answers, and tells outcomes again', async () => {
    const client = open();
    failFirst({ kind: 'cut', afterBytes: 10 }, 2);
    expect(await client.readMany('numbers', [{ customer: 'ada' }])).toHaveLength(1);
    const { predictionId } = await client.predict('checkout', ROW);
    failFirst({ kind: 'drop' });
    expect(await client.tellOutcomes('checkout', [{ predictionId, value: true }])).toBe(1);
    expect(proxy.requests).toBe(2);
  });

  it('comes again when a busy server says it may, and not sooner', async () => {
    failFirst({ kind: 'status', status: 429, headers: { 'retry-after': '1' } });
    const began = performance.now();
    expect(await open().predict('checkout', ROW)).toMatchObject({ outputs: { probability: 0.25 } });
    expect(performance.now() - began).toBeGreaterThanOrEqual(1000);
    expect(proxy.requests).toBe(2);
  });

  it('does not wait for what comes after its deadline', async () => {
    failFirst({ kind: 'status', status: 503, headers: { 'retry-after': '60' } });
    const began = performance.now();
    await expect(open().predict('checkout', ROW, { timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'HR_UNEXPECTED_ANSWER',
      status: 503,
      retryAfterMs: 60_000,
      attempts: 1,
    });
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it.each(['predict', 'readFeatures'] as const)('ends %s at its deadline where nothing answers', async (method) => {
    const client = open();
    failFirst({ kind: 'silence' }, 9);
    const began = performance.now();
    const asked =
      method === 'predict'
        ? client.predict('checkout', ROW, { timeoutMs: 400 })
        : client.readFeatures('numbers', ROW, { timeoutMs: 400 });
    await expect(asked).rejects.toMatchObject({ code: 'HR_TIMEOUT', attempts: 1 });
    const took = performance.now() - began;
    expect(took).toBeGreaterThanOrEqual(395);
    expect(took).toBeLessThan(3000);
    expect(proxy.requests).toBe(1);
  });

  it('ends with the reason of the caller’s signal, while it waits for an answer and between tries', async () => {
    const reason = new Error('the page was left');
    for (const fault of [
      { kind: 'silence' },
      { kind: 'status', status: 429, headers: { 'retry-after': '20' } },
    ] as const) {
      const caller = new AbortController();
      failFirst(fault);
      const asked = open().readFeatures('numbers', ROW, { signal: caller.signal });
      setTimeout(() => caller.abort(reason), 200);
      await expect(asked).rejects.toBe(reason);
    }
    await expect(open().predict('checkout', ROW, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('ends at its deadline, and by the caller, also while a key is awaited', async () => {
    const waiting = createClient({ url: proxy.endpoint, key: () => new Promise(() => {}) });
    await expect(waiting.predict('checkout', ROW, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'HR_TIMEOUT',
      attempts: 0,
    });
    const caller = new AbortController();
    const asked = waiting.predict('checkout', ROW, { signal: caller.signal });
    caller.abort('left');
    await expect(asked).rejects.toBe('left');
    const none = createClient({ url: proxy.endpoint, key: () => Promise.reject(new Error('the vault is closed')) });
    await expect(none.health()).rejects.toThrow('the vault is closed');
    expect(proxy.requests).toBe(0);
  });

  it('sends no header that HTTP does not take', async () => {
    const asked = open().predict('checkout', ROW, { requestId: 'a\nb' });
    await expect(asked).rejects.toMatchObject({ code: 'HR_INVALID', errors: [{ path: 'x-request-id' }] });
    const secret = createClient({ url: proxy.endpoint, headers: { 'x-api-key': 'hr_x_secret\n1' } });
    await expect(secret.health()).rejects.not.toThrow('secret');
    expect(proxy.requests).toBe(0);
  });

  it('tells what is no server of Headrace, and follows it nowhere', async () => {
    failFirst({ kind: 'status', status: 302, headers: { location: server.url } });
    await expect(open().predict('checkout', ROW)).rejects.toMatchObject({ code: 'HR_UNEXPECTED_ANSWER', status: 302 });
    failFirst({ kind: 'status', status: 200 });
    await expect(open().predict('checkout', ROW)).rejects.toThrow('answered 200 with what no Headrace server says');
    expect(proxy.requests).toBe(1);
  });

  it('reaches a server that starts meanwhile, also for a prediction: none can have been made', async () => {
    const port = await freePort();
    const client = createClient({ url: `http://127.0.0.1:${port}`, retries: 50, timeoutMs: 60_000 });
    await expect(client.predict('checkout', ROW, { retries: 1 })).rejects.toMatchObject({
      code: 'HR_UNREACHABLE',
      attempts: 2,
    });
    const asked = client.predict('checkout', ROW);
    const late = await startServe(project, ['--port', String(port)]);
    try {
      expect(await asked).toMatchObject({ model: 'returns' });
    } finally {
      await late.stop();
    }
  }, 90_000);
});

describe('keys', () => {
  it('go with each try, and are in no error', async () => {
    const guarded = createServingProject();
    const { key } = headraceJson(guarded, ['keys', 'create', 'web', '--role', 'predict']) as { readonly key: string };
    const own = await startServe(guarded);
    try {
      const open = createClient({ url: own.url });
      await expect(open.predict('checkout', ROW)).rejects.toMatchObject({ code: 'HR_UNAUTHENTICATED', status: 401 });
      const client = createClient({ url: own.url, key: () => Promise.resolve(key) });
      expect(await client.predict('checkout', ROW)).toMatchObject({ version: 1 });
      const told = await client.readFeatures('numbers', ROW).catch((error: unknown) => error);
      expect(told).toMatchObject({ status: 403 });
      const broken = await createClient({ url: own.url, key: `${key}\n` })
        .predict('checkout', ROW)
        .catch((error: unknown) => error);
      expect(broken).toMatchObject({ code: 'HR_INVALID' });
      for (const error of [told, broken]) expect(String((error as Error).stack)).not.toContain(key.slice(-20));
    } finally {
      await own.stop();
      guarded.remove();
    }
  }, 60_000);
});

describe('headrace types', () => {
  it('writes the same of what is applied and of a server that runs', () => {
    const [out, url] = ['api.ts', server.url];
    const made = headrace(project, ['types', '--out', out]);
    expect(made).toMatchObject({ code: 0, stdout: 'api.ts: 1 endpoint, 2 services, 1 source.\n' });
    const text = readFileSync(project.file(out), 'utf8');
    expect(text).toContain("      request: {\n        customer: 'string',\n        amount: 'float64?',\n      },\n");
    expect(headrace(project, ['types', '--url', url]).stdout).toBe(text);
    expect(headrace(project, ['types', '--url', url, '--out', out, '--check'])).toMatchObject({ code: 0 });
    project.write(out, `${text}\n`);
    expect(headrace(project, ['types', '--out', out, '--check'])).toMatchObject({
      code: 1,
      stdout: 'api.ts is missing or out of date. Write it by the same command without --check.\n',
    });
    expect(headrace(project, ['types', '--out', 'none.mjs', '--check'])).toMatchObject({ code: 1 });
  });

  it('says what is wrong with its words', () => {
    expect(headrace(project, ['types', '--check'])).toMatchObject({ code: 2 });
    expect(headrace(project, ['types', '--out', 'api.d.ts']).stderr).toContain('ends in .ts, .mts, .js or .mjs');
    expect(headrace(project, ['types', '--out', 'nowhere/api.ts']).stderr).toContain('there is no folder');
    expect(headrace(project, ['types', '--url', 'http://127.0.0.1:1']).stderr).toContain('HR_SERVER_UNREACHABLE');
  });
});
