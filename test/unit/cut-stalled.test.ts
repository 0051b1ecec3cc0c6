// A long answer to a client that reads nothing of it, and to one that reads slowly.

import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cutStalled } from '../../src/serving/http/training-sets/cut-stalled.ts';

const PIECE = Buffer.alloc(64 * 1024);
/** More than the sockets between them hold. */
const PIECES = 400;

let last: ServerResponse | undefined;
/** Its path says after how many milliseconds a client counts as stalled. */
const server = createServer((request, response: ServerResponse) => {
  last = response;
  cutStalled(response, { lookMs: 20, stalledMs: Number(request.url?.slice(1)) });
  Readable.from(
    (function* () {
      for (let sent = 0; sent < PIECES; sent++) yield PIECE;
    })(),
  ).pipe(response);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());
const ask = (stalledMs: number): Promise<IncomingMessage> =>
  new Promise((resolve, reject) =>
    get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${stalledMs}`, resolve).once('error', reject),
  );

it('is cut where nothing is read', async () => {
  const answer = await ask(400);
  answer.pause();
  await once(last as ServerResponse, 'close');
  const read = async (): Promise<number> => {
    let bytes = 0;
    for await (const piece of answer) bytes += (piece as Buffer).length;
    return bytes;
  };
  await expect(read()).rejects.toThrow('aborted');
});

it('comes whole where it is read, however slowly', async () => {
  const answer = await ask(30_000);
  let [bytes, pauses] = [0, 0];
  for await (const piece of answer) {
    bytes += (piece as Buffer).length;
    if (bytes > pauses * 4 * 1024 ** 2) {
      pauses++;
      await sleep(50);
    }
  }
  expect(bytes).toBe(PIECE.length * PIECES);
});
