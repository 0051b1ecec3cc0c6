// The load tests' driver against real sockets: what it counts, and that a server which stalls is not spared what would have
// come meanwhile.

import { createServer, type RequestListener } from 'node:http';
import { createServer as createSocketServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { drive, type DriveLoad } from '../../load-tests/drive.ts';
import type { PhaseFigures } from '../../load-tests/outcomes.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.restoreAllMocks();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

interface One extends PhaseFigures {
  readonly firstFault: string | null;
  readonly lateP99Ms: number;
}

async function one(base: string, load: DriveLoad, seconds = 1): Promise<One> {
  const result = await drive({
    target: 'own',
    phases: [{ name: 'all', seconds }],
    streams: [{ request: 'cheap', base, loads: [load] }],
  });
  const [stream] = result.streams;
  const { lateP99Ms } = result;
  return { ...(stream?.phases[0] as PhaseFigures), firstFault: stream?.firstFault ?? null, lateP99Ms };
}

const answer = (response: Parameters<RequestListener>[1], status = 200, body = '{}'): void =>
  void response.writeHead(status, { 'content-length': body.length }).end(body);

/** The clock stands at 0; what this gives sets it, in milliseconds since then. */
function stopTime(): (ms: number) => void {
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  return (ms) => void now.mockReturnValue(ms);
}

describe('latencies', () => {
  const HUNDRED: DriveLoad = { from: 100, to: 100 };
  /** Of requests that were to be sent at 5, 15, 25, … 995 ms, all answered at 1000 ms. */
  const OF_A_SECOND = { sent: 100, answered: 100, p50Ms: expect.closeTo(495), p99Ms: expect.closeTo(985) };

  it('count from the time at which a request was to be sent', async () => {
    const setClock = stopTime();
    const held: (() => void)[] = [];
    const base = await serve((_request, response) => {
      // The next is sent 5 ms after its time, while this one has no answer yet.
      held.push(() => answer(response));
      setClock(Math.min(1000, held.length * 10 + 10));
      if (held.length === 100) for (const each of held) each();
    });
    const figures = one(base, HUNDRED);
    setClock(10);
    expect(await figures).toMatchObject({ ...OF_A_SECOND, faults: 0, lateP99Ms: expect.closeTo(5) });
  });

  it('count a hold-up of the driver itself, which it tells', async () => {
    const setClock = stopTime();
    const figures = one(await serve((_request, response) => answer(response)), HUNDRED);
    setClock(1000);
    expect(await figures).toMatchObject({ ...OF_A_SECOND, lateP99Ms: expect.closeTo(985) });
  });

  it('of a closed loop are blind to it: one request waited, and the others were not sent', async () => {
    const setClock = stopTime();
    let nowMs = 690;
    const base = await serve((_request, response) => {
      setClock((nowMs += 10));
      answer(response);
    });
    const figures = await one(base, { connections: 1 });
    expect(figures).toMatchObject({ sent: 31, answered: 31, maxMs: 700, p50Ms: 10 });
  });
});

describe('what becomes of requests', () => {
  it('has the rate that was asked for, over connections that stay open', async () => {
    const connections = new Set<Socket>();
    const base = await serve((request, response) => {
      connections.add(request.socket);
      answer(response);
    });
    const figures = await one(base, { from: 50, to: 350 });
    expect(figures).toMatchObject({ sent: 200, answered: 200, statuses: { '200': 200 } });
    expect(connections.size).toBeLessThan(100);
  });

  it('is told apart: refused in order, failed, broken', async () => {
    let count = 0;
    const base = await serve((request, response) => {
      const status = [200, 429, 504, 500, 0][count++ % 5] as number;
      if (status === 0) request.socket.destroy();
      else answer(response, status, '{"code":"HR_X"}');
    });
    const figures = await one(base, { from: 100, to: 100 });
    expect(figures).toMatchObject({ sent: 100, answered: 20, faults: 40 });
    expect(figures.statuses).toEqual({ '200': 20, '429': 20, '504': 20, '500': 20, broken: 20 });
    expect(figures.firstFault).toBe('500 {"code":"HR_X"}');
  });

  it('is broken where nothing listens, and the run ends', async () => {
    const figures = await one('http://127.0.0.1:1', { connections: 2 }, 0.3);
    expect(figures.answered).toBe(0);
    expect(figures.faults).toBe(figures.sent);
    expect(figures.sent).toBeGreaterThan(0);
  });

  it('is broken where the answer is not one of a content-length, or more than one', async () => {
    const wrong = [
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'.repeat(2),
    ];
    let count = 0;
    const server = createSocketServer((socket) => {
      socket.on('data', () => socket.write(wrong[count++ % 2] as string)).on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => server.close());
    const figures = await one(`http://127.0.0.1:${(server.address() as { port: number }).port}`, { from: 20, to: 20 });
    expect(figures).toMatchObject({ sent: 20, answered: 0, faults: 20 });
  });

  it('is read from answers that come in pieces', async () => {
    const server = createSocketServer((socket) => {
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nconte');
        setTimeout(() => socket.write('nt-length: 4\r\n\r\n{'), 2);
        setTimeout(() => socket.write('   '), 4);
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => server.close());
    const base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    expect(await one(base, { from: 30, to: 30 })).toMatchObject({ sent: 30, answered: 30, faults: 0 });
  });
});

it('ends once as many were answered as were asked for', async () => {
  // The phase’s end never comes.
  stopTime();
  const base = await serve((_request, response) => answer(response));
  const { streams } = await drive({
    target: 'own',
    phases: [{ name: 'all', seconds: 20 }],
    streams: [{ request: 'health', base, loads: [{ connections: 4 }], requests: 200 }],
  });
  expect(streams[0]?.phases[0]?.answered).toBe(200);
});
