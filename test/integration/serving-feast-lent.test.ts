// Large answers of Feast's API over sockets: their memory is written to again, and never before the client has them, whether it
// reads at once, late, or not at all.

import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openServing, type OpenServing } from '../support/open-serving.ts';

const TEXT_LENGTH = 800;
const ROWS = 200;
const REPOSITORY = `import { endpoint, entity, featureService, featureView, latest, model, pushed, t } from 'headrace';
export const user = entity('user', { keys: { user: t.int64() } });
export const notes = pushed('notes', { columns: { user: t.int64(), note: t.string(), size: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const noted = featureView('noted', { entity: user, source: notes, features: { note: latest('note'), size: latest('size') } });
export const stored = featureService('stored', [noted.pick('size')]);
export const returns = model('returns', { features: stored, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['user'] });
`;

let open: OpenServing;
beforeAll(async () => {
  open = await openServing({ repository: REPOSITORY, features: 1 });
  const at = new Date(Date.now() - 1000).toISOString();
  const rows = Array.from({ length: ROWS }, (_, user) => ({ user, note: noteOf(user), size: user, at }));
  expect((await open.post('/v1/sources/notes/push', { rows })).statusCode).toBe(200);
}, 60_000);
afterAll(() => open.close());

const noteOf = (user: number): string => String.fromCharCode(97 + (user % 26)).repeat(TEXT_LENGTH);

/** Of some of the users, so that answers differ in what they hold and how long they are. */
function askedOf(n: number): { readonly request: string; readonly notes: readonly string[] } {
  const users = Array.from({ length: 60 + (n % 7) * 20 }, (_, row) => (n * 37 + row * (1 + (n % 5))) % ROWS);
  const body = JSON.stringify({ features: ['noted:note'], entities: { user: users } });
  const request = `POST /get-online-features HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  return { request, notes: users.map(noteOf) };
}

/** Reads one answer; `pauseMs` before any of it. */
async function answerOf(socket: Socket, pauseMs: number): Promise<string> {
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  let text = '';
  for (;;) {
    const end = text.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (end >= 0 && text.length >= end + 4 + length) return text.slice(end + 4, end + 4 + length);
    const chunk: unknown = socket.read();
    if (chunk === null) await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    else text += String(chunk);
  }
}

async function client(first: number, kind: number): Promise<void> {
  for (let round = 0; round < 15; round++) {
    const socket = connect(Number(new URL(open.serving.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    const asked = [0, 1, 2].map((more) => askedOf(first + round * 3 + more));
    // In a row on one connection, without waiting.
    socket.write(asked.map(({ request }) => request).join(''));
    // Who leaves half-way has the memory of what it did not read.
    if (kind === 2) {
      await new Promise((resolve) => setTimeout(resolve, round));
      socket.destroy();
      continue;
    }
    for (const { notes } of asked.slice(0, 1)) {
      const { results } = JSON.parse(await answerOf(socket, kind * 5)) as { results: { values: unknown[] }[] };
      expect(results[1]?.values).toEqual(notes);
    }
    socket.destroy();
  }
}

it('are whole, whoever reads them how', async () => {
  await Promise.all(Array.from({ length: 9 }, (_, at) => client(at * 1000, at % 3)));
}, 60_000);
