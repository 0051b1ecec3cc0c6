// A real schema registry of the tests' own, in memory, on a loopback port.

import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.ts';
import type { RegistryProgram } from './registry-program.ts';

export interface RegistryServer {
  /** Where it speaks Confluent's protocol. */
  readonly url: string;
  /** Registers a schema as a client does; gives its number. */
  add(subject: string, schema: NewSchema): Promise<number>;
  stop(): Promise<void>;
}

export interface NewSchema {
  readonly schema: string;
  /** Avro where it is left out. */
  readonly schemaType?: 'PROTOBUF';
  readonly references?: readonly { readonly name: string; readonly subject: string; readonly version: number }[];
}

const START_LIMIT_MS = 60_000;
const SMALL = ['-Xmx400m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export async function startRegistry({ jar }: RegistryProgram): Promise<RegistryServer> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-registry-'));
  const port = await freePort();
  const output = join(folder, 'output.txt');
  const words = [...SMALL, '-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`, '-jar', jar];
  const file = openSync(output, 'a');
  const server = spawn('java', words, { cwd: folder, stdio: ['ignore', file, file] });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const answers = (): Promise<boolean> =>
    fetch(`${url}/subjects`).then(
      ({ ok }) => ok,
      () => false,
    );
  for (const limit = performance.now() + START_LIMIT_MS; !(await answers()); await sleep(100)) {
    if (server.exitCode === null && performance.now() < limit) continue;
    const told = readFileSync(output, 'utf8').slice(-2000);
    await stop();
    throw new Error(`the schema registry did not start: ${told}`);
  }
  return {
    url,
    async add(subject, schema) {
      const response = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
        method: 'POST',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify(schema),
      });
      const body = (await response.json()) as { id?: number };
      if (body.id === undefined) throw new Error(`${subject} was not registered: ${JSON.stringify(body)}`);
      return body.id;
    },
    stop,
  };
}
