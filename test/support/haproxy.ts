// HAProxy as `deploy/balancers/haproxy.cfg` sets it up, in front of servers on other ports than there.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployFile } from './deploy-files.ts';
import { freePort } from './free-port.ts';

const START_LIMIT_MS = 10_000;

/** `inter` times `fall` of deploy/balancers/haproxy.cfg, with room for a machine that has much else to do. */
export const DRAIN_DELAY_MS = 4000;

export const hasHaproxy = (): boolean => spawnSync('haproxy', ['-v']).status === 0;

export interface Haproxy {
  readonly url: string;
  /** What it logged so far: servers that went and came. */
  log(): string;
  stop(): Promise<void>;
}

/** `ports` of the two servers; an address that the file does not have is an error. */
export async function startHaproxy(ports: readonly [number, number]): Promise<Haproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-haproxy-'));
  const own = await freePort();
  let config = deployFile('balancers/haproxy.cfg');
  for (const [from, to] of [
    [8000, own],
    [8080, ports[0]],
    [8090, ports[1]],
  ] as const) {
    const address = `127.0.0.1:${from}`;
    if (!config.includes(address)) throw new Error(`deploy/balancers/haproxy.cfg has no ${address}`);
    config = config.replace(address, `127.0.0.1:${to}`);
  }
  const path = join(folder, 'haproxy.cfg');
  writeFileSync(path, config);
  const child: ChildProcess = spawn('haproxy', ['-db', '-f', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (log += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const giveUpAt = performance.now() + START_LIMIT_MS;
  while (!(await takesConnections(own))) {
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      await stop();
      throw new Error(`haproxy did not start: ${log}`);
    }
    await sleep(20);
  }
  return { url: `http://127.0.0.1:${own}`, log: () => log, stop };
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
