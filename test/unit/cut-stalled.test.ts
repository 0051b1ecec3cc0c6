// A long answer to a client that reads nothing of it, and to one that reads slowly.

import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cutStalled } from '../../src/serving/http/training-sets/cut-stalled.ts';

const PIECE = Buffer.alloc(64 * 1024);
/** More than the sockets between them hold. */
const PIECES = 400;

const server = createServer((_request, response: ServerResponse) => {
  cutStalled(response, { lookMs: 20, stalledMs: 400 });
  Readable.from(
    (function* () {
      for (let sent = 0; sent < PIECES; sent++) yield PIECE;
    })(),
  ).pipe(response);
});
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());
const ask = (): Promise<IncomingMessage> =>
  new Promise((resolve, reject) =>
    get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }, resolve).once('error', reject),
  );

it('is cut where nothing is read', async () => {
  const answer = await ask();
  answer.pause();
  await sleep(1500);
  const read = async (): Promise<number> => {
    let bytes = 0;
    for await (const piece of answer) bytes += (piece as Buffer).length;
    return bytes;
  };
  await expect(read()).rejects.toThrow('aborted');
});

it('comes whole where it is read, however slowly', async () => {
  const answer = await ask();
  let [bytes, pauses] = [0, 0];
  for await (const piece of answer) {
    bytes += (piece as Buffer).length;
    if (bytes > pauses * 4 * 1024 ** 2) {
      pauses++;
      await sleep(150);
    }
  }
  expect(bytes).toBe(PIECE.length * PIECES);
});
