// When a connection that waits for replies is given up, by a clock and a socket that are the test's.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { type Connection, openConnection } from '../../src/online/redis/resp/connection.ts';
import type { SocketEvents } from '../../src/online/redis/resp/socket.ts';

const TIMEOUT_MS = 500;
const ping = (out: CommandBuffer): number => {
  out.words('PING');
  return 1;
};

let socket: SocketEvents;
let sent: string[];
let connection: Connection;
const answer = (text: string): void => socket.onData(Buffer.from(text));

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  sent = [];
  const login = { isTls: false, username: undefined, password: undefined, database: undefined };
  const options = { host: 'h', port: 1, login, name: 'n', timeoutMs: TIMEOUT_MS };
  connection = openConnection(options, (_host, _port, _isTls, events) => {
    socket = events;
    return {
      write(bytes, onWritten) {
        sent.push(bytes.toString());
        onWritten();
      },
      destroy() {},
    };
  });
  socket.onOpen();
  await nextTurn();
  answer('+OK\r\n+PONG\r\n');
  await connection.tried;
});
afterEach(() => {
  connection.close();
  vi.useRealTimers();
});

describe('a connection', () => {
  it('is given up once a reply is overdue, and all that wait on it are told', async () => {
    const asked = Promise.allSettled([connection.request(ping), connection.request(ping)]);
    vi.advanceTimersByTime(TIMEOUT_MS - 1);
    await nextTurn();
    expect(connection.isReady).toBe(true);
    vi.advanceTimersByTime(1);
    await nextTurn();
    expect(connection.isReady).toBe(false);
    expect((await asked).map((one) => one.status === 'rejected' && String(one.reason))).toEqual(
      Array(2).fill(`ConnectionLost: no answer within ${TIMEOUT_MS} ms`),
    );
  });

  it('is kept where the overdue reply lay in the socket, though a younger one is waited for', async () => {
    const first = connection.request(ping);
    // The process was busy: the timer comes before what the socket has.
    vi.advanceTimersByTime(TIMEOUT_MS);
    answer('+PONG\r\n');
    const second = connection.request(ping);
    await nextTurn();
    await first;
    expect(connection).toMatchObject({ isReady: true, epoch: 1 });
    answer('+PONG\r\n');
    await second;
  });

  it('is tried while nobody asks anything', async () => {
    sent = [];
    vi.advanceTimersByTime(TIMEOUT_MS);
    await nextTurn();
    expect(sent).toEqual(['*1\r\n$4\r\nPING\r\n']);
    vi.advanceTimersByTime(TIMEOUT_MS);
    await nextTurn();
    expect(connection.isReady).toBe(false);
  });

  it('tells who waits for few bytes under way once there are fewer, or once it is lost', async () => {
    const told: string[] = [];
    const first = connection.request(ping);
    const bytes = connection.unacknowledgedBytes;
    const second = connection.request(ping);
    void connection.drainTo(bytes + 1).then(() => told.push('one'));
    void connection.drainTo(bytes).then(() => told.push('none'));
    await nextTurn();
    expect(told).toEqual([]);
    answer('+PONG\r\n');
    await first;
    expect(told).toEqual(['one']);
    socket.onEnd(undefined);
    await expect(second).rejects.toThrow();
    expect(told).toEqual(['one', 'none']);
    await connection.drainTo(1);
  });

  it('refuses at once what is asked while it is lost', async () => {
    socket.onEnd(undefined);
    await expect(connection.request(ping)).rejects.toThrow('it ended the connection');
  });
});
