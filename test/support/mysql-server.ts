// A real server of MySQL's protocol, of the tests' own: Debian's MariaDB, in a temporary folder, gone when stopped. As root
// it is started as `nobody`.

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { makeCertificate } from './certificates.ts';
import { freePort } from './free-port.ts';
import { nobody } from './postgres-server.ts';
import { untilAnswering } from './until-answering.ts';

export type MysqlServer = Awaited<ReturnType<typeof startMysql>>;

const LOGIN = { user: 'headrace', password: 'its p@ss/word' };

/** Undefined where there is none. */
export function findMysql(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.map((folder) => join(folder, 'mariadbd')).find((path) => existsSync(path));
}

/** `url` is of a login that may do everything to the database `shop`; who trusts the file `certificate` trusts the server. */
export async function startMysql() {
  const program = findMysql();
  if (program === undefined) throw new Error('no MariaDB here; ask findMysql first');
  const folder = mkdtempSync(join(tmpdir(), 'headrace-mysql-'));
  const asNobody = process.getuid?.() === 0 ? nobody() : undefined;
  if (asNobody !== undefined) {
    chownSync(folder, asNobody.uid, asNobody.gid);
    chmodSync(folder, 0o700);
  }
  const how = { cwd: folder, env: { ...process.env, HOME: folder, TMPDIR: folder }, ...asNobody };
  const data = join(folder, 'data');
  const socket = join(folder, 'socket');
  const made = spawnSync(
    'mariadb-install-db',
    ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
    how,
  );
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stderr.toString()}`);
  const port = await freePort();
  const { cert, key } = makeCertificate('mysql');
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const server = spawn(
    program,
    [
      '--no-defaults',
      `--datadir=${data}`,
      `--socket=${socket}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      `--ssl-cert=${certFile}`,
      `--ssl-key=${keyFile}`,
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-buffer-pool-size=32M',
      // What a server may have set must not come to show in values.
      '--default-time-zone=+05:45',
      '--character-set-server=utf8mb4',
    ],
    { ...how, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  server.stderr.on('data', (chunk) => {
    log = (log + chunk).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    // Nothing of it is wanted again.
    if (server.exitCode === null) server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const prepare = async (): Promise<void> => {
    const root = await createConnection({ socketPath: socket, user: 'root', multipleStatements: true });
    await root.query(
      `CREATE DATABASE shop; CREATE USER '${LOGIN.user}'@'%' IDENTIFIED BY '${LOGIN.password}'; GRANT ALL ON *.* TO '${LOGIN.user}'@'%'`,
    );
    await root.end();
  };
  await untilAnswering('MariaDB', prepare, () => server, stop, { log: () => log });
  return {
    url: `mysql://${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@127.0.0.1:${port}/shop`,
    pid: server.pid as number,
    certificate: certFile,
    connect: () => createConnection({ socketPath: socket, ...LOGIN, database: 'shop', multipleStatements: true }),
    stop,
  };
}
