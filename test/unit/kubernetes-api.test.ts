// Requests, lists that are followed and ways to sign in, against a small server that says what an API server of Kubernetes says.

import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { openApi } from '../../src/orchestrator/executors/kubernetes/api.ts';
import { followList } from '../../src/orchestrator/executors/kubernetes/follow-list.ts';
import { signIn } from '../../src/orchestrator/executors/kubernetes/sign-in.ts';
import { folderOfTest } from '../support/new-folder.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

afterEach(() => void vi.unstubAllEnvs());

async function open(handler: Handler, options: { giveUpMs?: number; quietMs?: number } = {}) {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const [renew, disconnect] = [vi.fn(), vi.fn()];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const signedIn = { server: url, optionsOf: async () => ({}), renew, disconnect };
  const api = openApi({ signIn: signedIn, logger: silentLogger, ...options });
  onTestFinished(async () => {
    api.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { api, renew, disconnect };
}

const say = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

describe('a request to Kubernetes', () => {
  it('comes again where two were counted against one quota at once, and not where the name is taken', async () => {
    const answers: [number, object][] = [
      [409, { reason: 'Conflict', message: 'Operation cannot be fulfilled on resourcequotas' }],
      [201, { made: true }],
      [409, { reason: 'AlreadyExists', message: 'jobs.batch "a" already exists' }],
    ];
    const { api } = await open((_, response) => say(response, ...(answers.shift() ?? [500, {}])));
    expect(await api.ask('POST', '/jobs', {})).toEqual({ made: true });
    await expect(api.ask('POST', '/jobs', {})).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' });
    expect(answers).toEqual([]);
  });

  it('comes again where a server that starts knows of no rights yet, and not where a policy forbids it', async () => {
    const forbidden = 'jobs.batch is forbidden: User "driver" cannot create resource "jobs" in API group "batch"';
    const answers: [number, object][] = [
      [403, { reason: 'Forbidden', message: forbidden }],
      [201, { made: true }],
      [403, { reason: 'Forbidden', message: 'admission webhook "policy" denied the request' }],
    ];
    const { api } = await open((_, response) => say(response, ...(answers.shift() ?? [500, {}])));
    expect(await api.ask('POST', '/jobs', {})).toEqual({ made: true });
    await expect(api.ask('POST', '/jobs', {})).rejects.toMatchObject({ status: 403 });
    expect(answers).toEqual([]);
  });

  it('has its credentials renewed where they are no longer taken, and gives wrong ones up', async () => {
    let refused = 1;
    const { api, renew } = await open(
      (_, response) => {
        refused -= 1;
        if (refused < 0) say(response, 200, { items: [] });
        else say(response, 401, { reason: 'Unauthorized', message: 'Unauthorized' });
      },
      { giveUpMs: 100 },
    );
    expect(await api.ask('GET', '/pods')).toEqual({ items: [] });
    expect(renew).toHaveBeenCalledOnce();
    refused = Infinity;
    await expect(api.ask('GET', '/pods')).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/does not take the credentials.*Unauthorized.*renew them/) as string,
    });
  });

  it('ends a watch that says nothing any more, and all connections with it, or that is cut off', async () => {
    const { api, disconnect } = await open(
      (request, response) => {
        response.write('{"type":"ADDED"}\n{"type":');
        if (request.url === '/cut') setTimeout(() => response.destroy(), 20);
      },
      { quietMs: 100 },
    );
    const lines: string[] = [];
    await expect(api.stream('/quiet', (line) => lines.push(line))).rejects.toThrow(/said nothing for 0.1 s/);
    expect(disconnect).toHaveBeenCalledOnce();
    await expect(api.stream('/cut', (line) => lines.push(line))).rejects.toThrow(/abort/);
    expect(lines).toEqual(['{"type":"ADDED"}', '{"type":"ADDED"}']);
  });
});

describe('a list that is followed', () => {
  const pod = (name: string, resourceVersion: string) => ({ metadata: { name, resourceVersion } });
  const page = (...items: readonly object[]) => ({ items, metadata: { resourceVersion: '5' } });

  it('is listed anew after 410, an error and a silence, and tells what has gone meanwhile', async () => {
    const pages = [page(pod('a', '1')), page(pod('a', '1'), pod('b', '2')), page(pod('b', '2')), page(pod('c', '9'))];
    const watches: Handler[] = [
      (_, response) => say(response, 410, { reason: 'Expired', message: 'too old resource version' }),
      (_, response) => response.end('{"type":"ERROR","object":{"code":410}}\n'),
      (_, response) => response.write('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}\n'),
      (_, response) => response.write('{"type":"DELETED","object":{"metadata":{"name":"c"}}}\n'),
    ];
    const { api } = await open(
      (request, response) => {
        if (request.url?.includes('watch=true') === true) watches.shift()?.(request, response);
        else say(response, 200, pages.shift() ?? page());
      },
      { quietMs: 100 },
    );
    const stop = new AbortController();
    const told: string[] = [];
    const list = followList<ReturnType<typeof pod>>({
      api,
      path: '/pods?x',
      logger: silentLogger,
      signal: stop.signal,
      onChange: (name) => void told.push(`+${name}`),
      onGone: (name) => void told.push(`-${name}`),
    });
    await list.listed();
    await vi.waitFor(() => expect(told).toContain('-c'), 5000);
    stop.abort();
    expect(told).toEqual(['+a', '+a', '+b', '-a', '+b', '-b', '+c', '-c']);
  });

  it('is watched again after a pause that doubles up to 15 s, of which at least half is waited', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const random = vi.spyOn(Math, 'random').mockReturnValue(0);
    onTestFinished(() => random.mockRestore());
    const startMs = performance.now();
    const watchedMs: number[] = [];
    const api = {
      ask: async () => page(),
      stream: async () => void watchedMs.push(performance.now() - startMs),
      close: () => {},
    };
    const stop = new AbortController();
    const nothing = { onChange: () => {}, onGone: () => {} };
    followList({ api, path: '/pods?x', logger: silentLogger, signal: stop.signal, ...nothing });
    await vi.advanceTimersByTimeAsync(31_000);
    stop.abort();
    const pauses = watchedMs.slice(1).map((ms, at) => ms - (watchedMs[at] ?? 0));
    expect(pauses).toEqual([250, 500, 1000, 2000, 4000, 7500, 7500, 7500]);
  });

  it('that may not be listed says what to grant', async () => {
    const { api } = await open((_, response) =>
      say(response, 403, { reason: 'Forbidden', message: 'User "x" cannot list' }),
    );
    const stop = new AbortController();
    const nothing = { onChange: () => {}, onGone: () => {} };
    const list = followList({ api, path: '/pods?x', logger: silentLogger, signal: stop.signal, ...nothing });
    await expect(list.listed()).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/let \/pods be listed.*User "x" cannot list; grant it/) as string,
    });
    stop.abort();
  });
});

describe('signing in to Kubernetes', () => {
  const configure = (place: string, user: object, server = 'https://127.0.0.1:1'): void => {
    const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u' } }];
    const known = { clusters: [{ name: 'c', cluster: { server } }], users: [{ name: 'u', user }], contexts };
    writeFileSync(join(place, 'config'), JSON.stringify({ 'current-context': 'c', ...known }));
    vi.stubEnv('KUBECONFIG', join(place, 'config'));
  };
  const headerOf = async (signed: Awaited<ReturnType<typeof signIn>>): Promise<unknown> =>
    ((await signed.optionsOf()).headers as Record<string, string>)['Authorization'];

  it('takes a token out of the file that a kubeconfig names', async () => {
    const place = folderOfTest();
    writeFileSync(join(place, 'token'), 'from-file\n');
    configure(place, { tokenFile: 'token' });
    expect(await headerOf(await signIn())).toBe('Bearer from-file');
  });

  it('asks the program that a kubeconfig names again once its token is not taken, and tells nothing of what that printed', async () => {
    const place = folderOfTest();
    const program = join(place, 'program');
    const write = (text: string): void => {
      writeFileSync(program, `#!/bin/sh\ntest -n "$KUBERNETES_EXEC_INFO" || exit 1\n${text}\n`);
      chmodSync(program, 0o700);
    };
    configure(place, { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: program } });
    write(`echo '{"status":{"token":"first"}}'`);
    const signed = await signIn();
    expect(await headerOf(signed)).toBe('Bearer first');
    write(`echo '{"status":{"token":"second"}}'`);
    expect(await headerOf(signed)).toBe('Bearer first');
    signed.renew();
    expect(await headerOf(signed)).toBe('Bearer second');
    write('echo s3cr3t-token');
    signed.renew();
    await expect(signed.optionsOf()).rejects.toThrow(/^\S+program gave no JSON when it was to sign in to Kubernetes$/);
  });

  it('says which program is missing', async () => {
    const place = folderOfTest();
    configure(place, { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sign-in-nowhere' } });
    await expect((await signIn()).optionsOf()).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/sign-in-nowhere cannot sign in.*ENOENT.*install it/) as string,
    });
  });

  it('goes by HTTP where `kubectl proxy` serves the cluster', async () => {
    const place = folderOfTest();
    configure(place, {}, 'http://127.0.0.1:8001');
    const signed = await signIn();
    expect(signed.server).toBe('http://127.0.0.1:8001');
    expect((await signed.optionsOf()).agent).toHaveProperty('protocol', 'http:');
  });

  it('says what to correct where the kubeconfig cannot be read', async () => {
    vi.stubEnv('KUBECONFIG', join(folderOfTest(), 'nowhere'));
    await expect(signIn()).rejects.toMatchObject({
      code: 'HR_CONFIG',
      message: expect.stringMatching(/cannot be read.*ENOENT/) as string,
    });
  });
});
