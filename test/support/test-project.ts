// A project that tests drive by commands, servers and requests as its users do; it goes, and its servers stop, with the tests that it is for.

import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { headraceBeside } from './evolving-project.ts';
import {
  CONFIG,
  type CommandOutput,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  type Project,
  type ServerProcess,
  startServe,
} from './serving-project.ts';

type Env = Readonly<Record<string, string>>;
/** The words of a command; a text is split at its spaces. */
export type Words = string | readonly string[];
type Files = Readonly<Record<string, string | Uint8Array>>;

const split = (words: Words): readonly string[] => (typeof words === 'string' ? words.split(' ') : words);

export class TestProject implements Project {
  #made: Project | undefined;
  /** Variables of every command and server of it. */
  env: Env = {};

  /** Has this project from now on. */
  take(project: Project): this {
    this.#made = project;
    return this;
  }

  get #project(): Project {
    if (this.#made === undefined) throw new Error('the project is made before the first test');
    return this.#made;
  }

  get directory(): string {
    return this.#project.directory;
  }

  file(name: string): string {
    return this.#project.file(name);
  }

  write(name: string, content: string | Uint8Array): string {
    return this.#project.write(name, content);
  }

  remove(): void {
    this.#made?.remove();
  }

  run(words: Words, env: Env = {}): CommandOutput {
    return headrace(this.#project, split(words), { ...this.env, ...env });
  }

  /** In a process of its own, without holding this one up. */
  beside(words: Words, env: Env = {}): Promise<CommandOutput> {
    return headraceBeside(this.#project, split(words), { ...this.env, ...env });
  }

  /** The JSON document that a command prints, which the test knows; throws where the command fails. */
  json<T = unknown>(words: Words, env: Env = {}): T {
    return headraceJson(this.#project, split(words), { ...this.env, ...env }) as T;
  }

  /** What `headrace features get` reads of each row. */
  features<T = Readonly<Record<string, unknown>>>(service: string, rows: readonly object[], env: Env = {}): T[] {
    const words = ['features', 'get', '--service', service, '--rows', JSON.stringify(rows)];
    return this.json<{ rows: { features: T }[] }>(words, env).rows.map(({ features }) => features);
  }

  /** Within a test, with which the server ends. */
  async serve(args: Words = [], env: Env = {}): Promise<ServerProcess> {
    const server = await startServe(this.#project, split(args), { ...this.env, ...env });
    onTestFinished(() => endServer(server));
    return server;
  }
}

/** For the tests of the file, or group, that calls it: what `make` gives, or these files after these commands. */
export function testProject(
  make: Files | (() => Project | Promise<Project>) = () => createServingProject(),
  ...commands: readonly Words[]
): TestProject {
  const project = new TestProject();
  beforeAll(async () => {
    project.take(typeof make === 'function' ? await make() : createProject({ 'headrace.config.ts': CONFIG, ...make }));
    for (const words of commands) project.json(words);
  }, 120_000);
  afterAll(() => project.remove());
  return project;
}

/** For the test that calls it. */
export function ownProject(made: Project | Files = createServingProject()): TestProject {
  const isMade = (given: Project | Files): given is Project => typeof given['directory'] === 'string';
  const project = new TestProject();
  project.take(isMade(made) ? made : createProject({ 'headrace.config.ts': CONFIG, ...made }));
  onTestFinished(() => project.remove());
  return project;
}

/** A server for the tests of the file, or group, that calls it after `testProject`. */
export function testServer(project: TestProject, args: Words = [], env: () => Env = () => ({})): ServerProcess {
  let server: ServerProcess | undefined;
  const started = (): ServerProcess => {
    if (server === undefined) throw new Error('the server starts before the first test');
    return server;
  };
  beforeAll(async () => {
    server = await startServe(project, split(args), { ...project.env, ...env() });
  }, 120_000);
  afterAll(() => server && endServer(server));
  return {
    get url() {
      return started().url;
    },
    get announced() {
      return started().announced;
    },
    get process() {
      return started().process;
    },
    log: () => started().log(),
    stop: () => started().stop(),
  };
}

/** At once where it was told to stop before, or is stopped by a signal. */
async function endServer({ process: child, stop }: ServerProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGCONT');
  await stop();
}

/** Asks by JSON, over a connection of its own: any worker may get it. The answer's body is as the test says. */
export async function send<T = Readonly<Record<string, unknown>>>(
  url: string,
  body?: unknown,
  {
    method = body === undefined ? 'GET' : 'POST',
    headers = {},
    timeoutMs = 30_000,
  }: { readonly method?: string; readonly headers?: Env; readonly timeoutMs?: number } = {},
): Promise<{ readonly status: number; readonly headers: Headers; readonly body: T }> {
  const answer = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), connection: 'close', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: (text === '' ? undefined : JSON.parse(text)) as T };
}

export interface Predicted {
  readonly version: number;
  readonly variant: string;
  readonly prediction_id: string;
  readonly fallback_from?: string;
  readonly outputs: { readonly probability: number };
  readonly features: Readonly<Record<string, unknown>>;
}

/** Predicts rows by the endpoint `checkout`; an answer without predictions has none. */
export async function predict(
  { url }: { readonly url: string },
  inputs: readonly object[] = [{ customer: 'ada', amount: 1 }],
  options: object = {},
  timeoutMs = 30_000,
): Promise<{ readonly status: number; readonly predictions: readonly Predicted[] }> {
  const address = `${url}/v1/endpoints/checkout/predict`;
  type Answer = { readonly predictions?: readonly Predicted[] };
  const { status, body } = await send<Answer>(address, { inputs, options }, { timeoutMs });
  return { status, predictions: body.predictions ?? [] };
}

/** Pushes purchases into the shop's source; its status and answer. */
export function pushPurchases({ url }: { readonly url: string }, rows: readonly object[], headers: Env = {}) {
  return send(`${url}/v1/sources/purchases/push`, { rows }, { headers });
}

/** A purchase of a minute ago, or longer. */
export const purchase = (customer: string, amount = 1, minutesAgo = 1) => ({
  customer,
  amount,
  points: 1,
  bought_at: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
});

/** The text of a server's metrics. */
export const metricsOf = async ({ url }: { readonly url: string }): Promise<string> =>
  (await fetch(`${url}/metrics`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5000) })).text();
