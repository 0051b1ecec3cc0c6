// Connections that Node's cluster handed to a worker which died before it took them; the worker is its events alone.

import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { rescueConnections } from '../../src/app/rescue-connections.ts';

interface Refused {
  readonly ack: number;
  readonly accepted: boolean;
}

function open(isAnyLeft: boolean) {
  const sent: unknown[] = [];
  const refused: Refused[] = [];
  const closed: number[] = [];
  const child = Object.assign(new EventEmitter(), { send: (message: unknown) => sent.push(message) > 0 });
  const worker = Object.assign(new EventEmitter(), { process: child });
  // As Node's cluster does it: the worker is disconnected when its process is.
  child.once('disconnect', () => worker.emit('disconnect'));
  rescueConnections(worker as unknown as Worker, () => isAnyLeft);
  child.on('internalMessage', (message: Refused & { readonly cmd?: string }) => {
    if (message.cmd === 'NODE_CLUSTER') refused.push({ ack: message.ack, accepted: message.accepted });
  });
  const hand = (seq: number) =>
    child.send.call(child, ...([{ act: 'newconn', seq }, { close: () => closed.push(seq) }] as unknown as [unknown]));
  return { child, sent, refused, closed, hand };
}

it('go to another worker, in their order, those alone that were never taken', () => {
  const { child, sent, refused, closed, hand } = open(true);
  for (const seq of [1, 2, 3]) expect(hand(seq)).toBe(true);
  child.send({ kind: 'collect' });
  expect(sent).toHaveLength(4);
  child.emit('internalMessage', { ack: 2, accepted: true });
  child.emit('disconnect');
  expect(refused).toEqual([
    { ack: 1, accepted: false },
    { ack: 3, accepted: false },
  ]);
  expect(closed).toEqual([]);
});

it('are closed where no worker is left', () => {
  const { child, refused, closed, hand } = open(false);
  hand(1);
  hand(2);
  child.emit('disconnect');
  expect([refused, closed]).toEqual([[], [1, 2]]);
});

it.each([
  ['never says that it is disconnected', false],
  ['said so before', true],
])('are let go of once when the worker’s process has closed and %s', async (_what, isTold) => {
  const { child, closed, hand } = open(false);
  let disconnects = 0;
  child.on('disconnect', () => disconnects++);
  hand(7);
  if (isTold) child.emit('disconnect');
  child.emit('close');
  expect(closed).toEqual(isTold ? [7] : []);
  await turn();
  expect(closed).toEqual([7]);
  expect(disconnects).toBe(1);
});
