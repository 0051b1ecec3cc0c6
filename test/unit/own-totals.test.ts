// The owner of the totals, whose process had no turn for longer than it waits for a worker: what had arrived meanwhile counts first.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createTotalsOwner } from '../../src/app/own-totals.ts';
import type { ToWorker } from '../../src/app/worker-messages.ts';
import { systemClock } from '../../src/core/index.ts';
import { createMonitor, type Monitor, type ToldTotals } from '../../src/monitoring/index.ts';

const opened: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});
const opens = <T extends { close(): unknown }>(one: T): T => {
  opened.push(one);
  return one;
};

/** A server that is asked too late: the time that it waits has passed before it reads anything. */
const STARVED_MS = 400;

it('counts what lies in a channel before it tells, though the time for it is over', async () => {
  const owner = createTotalsOwner(systemClock);
  const monitor: Monitor = opens(createMonitor(systemClock));
  monitor.endpoint('delay').answered(1000, 1);
  const { promise: told, resolve } = Promise.withResolvers<ToldTotals>();
  const asks = { id: 1, send: (message: ToWorker) => message.kind === 'totals' && resolve(message.totals) };
  const other = { id: 2, send: () => {} };
  owner.joined(asks);
  owner.joined(other);
  // The other's channel: a real one, since it is the event loop's order that counts.
  const server = opens(createServer());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number }; // It listens on TCP.
  const worker = connect(port, '127.0.0.1');
  const [channel] = (await once(server, 'connection')) as [NodeJS.ReadableStream];
  channel.once('data', () => owner.received(other, { kind: 'report', report: { sequence: 1, ...monitor.take() } }));
  opened.push({ close: () => worker.destroy() });

  owner.received(asks, { kind: 'ask', ask: 1, gathers: true });
  await new Promise((sent) => worker.write('report', sent));
  for (const untilMs = performance.now() + STARVED_MS; performance.now() < untilMs; );
  const { increment } = await told;
  expect(increment.cells).toMatchObject([{ tallies: [{ requests: 1 }] }]);
});
