// A real Redis of the tests' own: a free loopback port and a temporary folder, gone when stopped.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import { leaveToRun, type Lifetime, serverFolder } from './server-lifetime.ts';

export type RedisServer = Awaited<ReturnType<typeof startRedis>>;

export interface RedisServerOptions extends Lifetime {
  /** Default: the `redis-server` on the path. */
  readonly program?: string;
  /** Every write on disk before it is answered; default false: nothing is kept. */
  readonly isDurable?: boolean;
  /** Default: a free one. */
  readonly port?: number;
  /** More settings, as on the command line. */
  readonly settings?: readonly string[];
  /** More variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const START_LIMIT_MS = 60_000;
/** As many as tests may ask for; one that nobody uses costs nothing. */
const DATABASES = 10_000;

/** Whether there is a redis-server to run. */
export function hasRedis(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

export async function startRedis(options: RedisServerOptions = {}) {
  const { program = 'redis-server', isDurable = false, settings = [] } = options;
  const folder = serverFolder('redis', options);
  const port = options.port ?? (await freePort());
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const durability = isDurable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
    const own = `--port ${port} --bind 127.0.0.1 --databases ${DATABASES} --dir`.split(' ');
    const words = [...own, folder, '--save', '', ...durability, ...settings];
    server = spawn(program, words, { stdio: 'ignore', env: { ...process.env, ...options.env } });
    leaveToRun(server, options);
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await answers(port))) {
      if (performance.now() > limit) throw new Error(`redis-server on port ${port} did not start`);
      await sleep(20);
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((done) => running.once('exit', done));
    running.kill(signal);
    await gone;
  };
  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  let given = 0;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    /** Where its files lie. */
    folder,
    /** URL of the next database by number, which nobody else was given. */
    newUrl: () => `redis://127.0.0.1:${port}/${++given}`,
    /** Process id of the running server. */
    pid: () => server?.pid ?? 0,
    /** Runs one command, as a person would type it; gives the raw reply. */
    command: (line: string) => ask(port, line),
    /** Ends it as a power cut would, keeping its files. */
    kill: () => end('SIGKILL'),
    /** Starts it again on the same port and files. */
    start,
    /** Ends it and removes its files. */
    async stop() {
      await end('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// Ready is an answer to PING, not an open port: it may still be loading its file, or want a password first.
async function answers(port: number): Promise<boolean> {
  const reply = await ask(port, 'PING').catch(() => '');
  return reply.startsWith('+PONG') || reply.startsWith('-NOAUTH');
}

function ask(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\n`));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once('error', reject);
  });
}
