// Large answers of Feast's API over sockets: their memory is written to again, and never before the client has them, whether it
// reads at once, late, or not at all.

import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openServing, type OpenServing } from '../support/open-serving.ts';

const TEXT_LENGTH = 3000;
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

/** The bodies of answers that follow each other, as they come; it ends with the connection. */
async function* answersOf(socket: Socket): AsyncGenerator<string> {
  let kept = Buffer.alloc(0);
  for await (const chunk of socket) {
    kept = Buffer.concat([kept, chunk as Buffer]);
    for (;;) {
      const end = kept.indexOf('\r\n\r\n');
      const length = end < 0 ? NaN : Number(/content-length: (\d+)/i.exec(kept.toString('latin1', 0, end))?.[1]);
      if (!(kept.length >= end + 4 + length)) break;
      yield kept.toString('utf8', end + 4, end + 4 + length);
      kept = kept.subarray(end + 4 + length);
    }
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends so many requests in a row, and reads their answers so much later; leaves without reading where that is undefined. */
async function client(first: number, count: number, pauseMs: number | undefined): Promise<void> {
  const socket = connect(Number(new URL(open.serving.url).port), '127.0.0.1');
  socket.on('error', () => {});
  const asked = Array.from({ length: count }, (_, at) => askedOf(first + at));
  socket.write(asked.map(({ request }) => request).join(''));
  await later(pauseMs ?? 50);
  let read = 0;
  if (pauseMs !== undefined)
    for await (const answer of answersOf(socket)) {
      const { results } = JSON.parse(answer) as { results: { values: unknown[] }[] };
      expect(results[1]?.values).toEqual(asked[read++]?.notes);
      if (read === count) break;
    }
  expect(read).toBe(pauseMs === undefined ? 0 : count);
  socket.destroy();
}

it('are whole, whoever reads them how', async () => {
  // More than the system holds for a connection that nobody reads.
  const slow = [0, 1, 2].map((at) => client(at * 100, 40, 500));
  const gone = [3, 4].map((at) => client(at * 100, 40, undefined));
  const quick = async (at: number): Promise<void> => {
    for (let round = 0; round < 30; round++) await client(at * 100 + round, 1, 0);
  };
  await Promise.all([...slow, ...gone, quick(5), quick(6)]);
}, 60_000);
