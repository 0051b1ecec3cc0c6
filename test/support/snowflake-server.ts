// fakesnow, which speaks Snowflake's protocol over DuckDB, and Snowflake's own SDK: both are large, so they are brought once,
// when asked, and kept beside node_modules' caches. The service itself runs nowhere but at its maker's.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { untilAnswering } from './until-answering.ts';

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'headrace');
const PYTHON = join(CACHE, 'fakesnow');
const SDK = join(CACHE, 'snowflake-sdk');
const PACKAGES = ['fakesnow[server]==0.12.1', 'snowflake-connector-python<5'];
const INSTALL_LIMIT_MS = 300_000;

/** The folder of its SDK and what that needs. */
export const SNOWFLAKE_PACKAGES = join(SDK, 'node_modules');

export type SnowflakeServer = Awaited<ReturnType<typeof startSnowflake>>;

export function hasSnowflake(): boolean {
  return existsSync(join(PYTHON, 'whole')) && existsSync(join(SDK, 'whole'));
}

/** Brings both; false where they can't be had. */
export function bringSnowflake(): boolean {
  if (hasSnowflake()) return true;
  const how = { stdio: 'ignore', timeout: INSTALL_LIMIT_MS } as const;
  mkdirSync(SDK, { recursive: true });
  writeFileSync(join(SDK, 'package.json'), '{"private":true}\n');
  const npm = ['install', '--prefix', SDK, '--ignore-scripts', '--no-audit', '--no-fund', 'snowflake-sdk@3.3.0'];
  const isWhole =
    spawnSync('python3', ['-m', 'venv', PYTHON], how).status === 0 &&
    spawnSync(join(PYTHON, 'bin', 'pip'), ['install', '-q', ...PACKAGES], how).status === 0 &&
    spawnSync('npm', npm, how).status === 0;
  for (const folder of [PYTHON, SDK]) {
    if (isWhole) writeFileSync(join(folder, 'whole'), '');
    else rmSync(folder, { recursive: true, force: true });
  }
  return isWhole;
}

/** What a test uses of the SDK. */
interface Sdk {
  configure(options: object): void;
  createConnection(options: object): {
    connect(done: (error: Error | null) => void): void;
    execute(options: { sqlText: string; complete: (error: Error | null) => void }): void;
    destroy(done: () => void): void;
  };
}

/** `url` is of a login whose password is `right`; `run` runs statements that give no rows. */
export async function startSnowflake() {
  const port = await freePort();
  const program = join(import.meta.dirname, 'fakesnow-json.py');
  const server = spawn(join(PYTHON, 'bin', 'python'), [program, String(port)], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
  };
  const accessUrl = `http://127.0.0.1:${port}`;
  await untilAnswering(
    'fakesnow',
    () => fetch(accessUrl),
    () => server,
    stop,
  );
  const require = createRequire(join(SDK, 'package.json'));
  const importSdk = async (name: string): Promise<unknown> => require(name);
  const sdk = require('snowflake-sdk') as Sdk;
  sdk.configure({ logLevel: 'OFF', additionalLogToConsole: false });
  const login = { account: 'acme', username: 'me', password: 'right', database: 'SHOP', schema: 'PUBLIC', accessUrl };
  const connection = sdk.createConnection(login);
  await new Promise<void>((resolve, reject) =>
    connection.connect((error) => (error == null ? resolve() : reject(error))),
  );
  const run = async (statements: readonly string[]): Promise<void> => {
    for (const sqlText of statements)
      await new Promise<void>((resolve, reject) =>
        connection.execute({ sqlText, complete: (error) => (error == null ? resolve() : reject(error)) }),
      );
  };
  await run([
    'CREATE DATABASE IF NOT EXISTS shop',
    'CREATE SCHEMA IF NOT EXISTS shop.public',
    'USE SCHEMA shop.public',
  ]);
  return {
    url: `snowflake://me:right@acme/SHOP/PUBLIC?accessUrl=${encodeURIComponent(accessUrl)}`,
    importSdk,
    run,
    pid: server.pid as number,
    async stop() {
      connection.destroy(() => {});
      await stop();
    },
  };
}
