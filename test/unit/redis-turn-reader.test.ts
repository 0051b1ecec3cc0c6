// What reads wait for where a connection is new: nothing is read at a node before it is known whose store it is.

import { expect, it } from 'vitest';
import { createRecordKeys } from '../../src/online/redis/record-keys.ts';
import type { Connection } from '../../src/online/redis/resp/connection.ts';
import { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import type { NodeLinks } from '../../src/online/redis/cluster/node-links.ts';
import { createTurnReader } from '../../src/online/redis/turn-reader.ts';
import { refOf } from '../support/online-writes.ts';

/** One node, whose connection counts what it sends and answers each read with an empty hash. */
function oneNode() {
  const node = { sent: 0, isReady: true };
  const tried = Promise.withResolvers<void>();
  const connection: Partial<Connection> = {
    get isReady() {
      return node.isReady;
    },
    tried: tried.promise,
    async request(encode, onReply) {
      const count = encode(new CommandBuffer());
      node.sent += count;
      await Promise.resolve();
      for (let at = 0; at < count; at++) onReply?.(Buffer.from('%0\r\n'), 0, at);
    },
    flush() {},
  };
  const links = { topology: { isCluster: false }, toSlot: () => connection } as unknown as NodeLinks;
  return { node, links, connect: () => ((node.isReady = true), tried.resolve()) };
}

const readerOf = (links: NodeLinks, waitsFor: () => Promise<void> | undefined) =>
  createTurnReader({ links, keys: createRecordKeys('test'), failureOf: (failure) => failure, waitsFor });
const refused = new Error('of another registry');
const aTurn = () => new Promise((resolve) => setImmediate(resolve));

it('a connection that is new before the turn of a read ends is looked at before the read goes out', async () => {
  const { node, links } = oneNode();
  let looking: Promise<void> | undefined;
  const looked = Promise.withResolvers<void>();
  const { read } = readerOf(links, () => looking);
  const reading = read([refOf('k')]);
  looking = looked.promise;
  await aTurn();
  expect(node.sent).toBe(0);
  looking = undefined;
  looked.resolve();
  expect(await reading).toEqual([undefined]);
  expect(node.sent).toBe(1);
});

it('a read that waited for the first try to connect waits for the look at what it got, and is refused by it', async () => {
  const { node, links, connect } = oneNode();
  node.isReady = false;
  let looking: Promise<void> | undefined;
  const { read } = readerOf(links, () => looking);
  const reading = read([refOf('k')]);
  await aTurn();
  looking = Promise.reject(refused);
  connect();
  await expect(reading).rejects.toBe(refused);
  expect(node.sent).toBe(0);
});
