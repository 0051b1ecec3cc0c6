// A real browser without a window, driven by its own protocol: opens a page, tells what it loaded, and runs scripts in it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Browser = Awaited<ReturnType<typeof openBrowser>>;

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser's program; undefined where there is none. */
export function findBrowser(): string | undefined {
  return PROGRAMS.find((program) => spawnSync(program, ['--version']).status === 0);
}

export async function openBrowser(program: string) {
  const profile = mkdtempSync(join(tmpdir(), 'headrace-browser-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', '--no-first-run'];
  const child = spawn(program, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = new URL(await listening(child));
  type Page = Record<'type' | 'webSocketDebuggerUrl', string>;
  const pages = (await (await fetch(`http://${address.host}/json/list`)).json()) as Page[];
  const page = pages.find(({ type }) => type === 'page');
  if (page === undefined) throw new Error('the browser has no page');
  const socket = new WebSocket(page.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', reject, { once: true });
  });

  let lastId = 0;
  const waiting = new Map<number, (result: unknown) => void>();
  const requested: string[] = [];
  const errors: string[] = [];
  let loaded: (() => void) | undefined;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, method, params: { request, entry } = {} } = JSON.parse(String(data)) as ProtocolMessage;
    if (id !== undefined) waiting.get(id)?.(result);
    if (method === 'Network.requestWillBeSent') requested.push(request?.url ?? '');
    if (method === 'Log.entryAdded' && entry?.level === 'error') errors.push(entry.text);
    if (method === 'Page.loadEventFired') loaded?.();
  });
  const send = (method: string, params: object = {}): Promise<unknown> => {
    const id = ++lastId;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  for (const domain of ['Network', 'Page', 'Log', 'Runtime']) await send(`${domain}.enable`);

  return {
    async open(url: string): Promise<void> {
      const done = new Promise<void>((resolve) => (loaded = resolve));
      await send('Page.navigate', { url });
      await done;
    },
    /** Everything that was asked for since it was opened. */
    requested: (): readonly string[] => requested,
    /** What the page wrote to its console as errors, refused loads too. */
    errors: (): readonly string[] => errors,
    /** The value of an expression in the page; a promise's is waited for. */
    async evaluate(expression: string): Promise<unknown> {
      const answer = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
      return (answer as { result?: { value?: unknown } }).result?.value;
    },
    async close(): Promise<void> {
      socket.close();
      child.kill('SIGKILL');
      await exited;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

interface ProtocolMessage {
  readonly id?: number;
  readonly result?: unknown;
  readonly method?: string;
  readonly params?: { readonly request?: { readonly url: string }; readonly entry?: Record<'level' | 'text', string> };
}

function listening(child: ChildProcess): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the browser ended: ${text}`)));
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const [, url] = /DevTools listening on (ws:\S+)/.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
}
