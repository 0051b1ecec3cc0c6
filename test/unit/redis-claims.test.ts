// Claims of a cluster's nodes: those of one wait for nothing of another.

import { expect, it } from 'vitest';
import { createClaims } from '../../src/online/redis/claims.ts';
import { PromisedReplicas } from '../../src/online/redis/durable-writes.ts';
import type { NodeLinks } from '../../src/online/redis/cluster/node-links.ts';
import { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { type Connection, ConnectionLost } from '../../src/online/redis/resp/connection.ts';

const none = new PromisedReplicas(undefined);
/** Half of all slots. */
const HALF = 8192;
const NOBODY = '*3\r\n$-1\r\n$-1\r\n$-1\r\n';

/** What a node answers that has no replicas, and appends to no file. */
const WAITS = { ROLE: ['*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n', ':0\r\n'], INFO: ['$15\r\naof_enabled:0\r\n\r\n'] };

/** A node that answers what claims ask: no claim is held. */
function nodeOf(isAway: boolean) {
  const asked: number[] = [];
  const connection = {
    isReady: true,
    epoch: 1,
    tried: Promise.resolve(),
    async request(
      encode: (out: CommandBuffer) => number,
      onReply?: (bytes: Buffer, start: number, at: number) => void,
    ) {
      const out = new CommandBuffer();
      const count = encode(out);
      await Promise.resolve();
      if (isAway) throw new ConnectionLost('it is away');
      const { written } = out.take();
      const waits = Object.entries(WAITS).find(([name]) => written.includes(name))?.[1];
      if (waits === undefined) asked.push(count);
      const replies = waits ?? Array<string>(count).fill(NOBODY);
      replies.forEach((reply, at) => onReply?.(Buffer.from(reply), 0, at));
    },
  } as unknown as Connection;
  return { connection, asked };
}

it('of a node that is away fail alone, whatever else is asked meanwhile', async () => {
  const [here, away] = [nodeOf(false), nodeOf(true)];
  const topology = {
    isCluster: true,
    nodes: [{ name: 'here' }, { name: 'away' }],
    nodeOfSlot: (slot: number) => ({ name: slot < HALF ? 'here' : 'away' }),
    refresh: async () => {},
  };
  // As much of the links as is asked.
  const links = { topology, toSlot: (slot: number) => (slot < HALF ? here : away).connection } as unknown as NodeLinks;
  const claims = createClaims({
    project: 'shop',
    links,
    openWaiting: () => links,
    promised: () => none,
    onUnsaid() {},
  });
  const ids = Array.from({ length: 20 }, (_, at) => `key ${at}`);
  const [first, second] = ids.filter((id) => claims.slotOf(id) < HALF) as [string, string];
  const elsewhere = ids.find((id) => claims.slotOf(id) >= HALF) as string;
  const told = await Promise.allSettled([first, elsewhere, second].map((id) => claims.ask([{ id }])));
  expect(told.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(here.asked).toEqual([1, 1]);
});

it('that are asked while others are on their way go together', async () => {
  const { connection, asked } = nodeOf(false);
  const links = {
    topology: { isCluster: false, nodes: [{}], nodeOfSlot: () => ({ name: 'redis' }) },
    toSlot: () => connection,
  } as unknown as NodeLinks;
  const claims = createClaims({
    project: 'shop',
    links,
    openWaiting: () => links,
    promised: () => none,
    onUnsaid() {},
  });
  const nobody = [{ claim: undefined, durable: { disk: false, replicas: 0 } }];
  expect(await Promise.all(['a', 'b', 'c'].map((id) => claims.ask([{ id }])))).toEqual([nobody, nobody, nobody]);
  expect(asked).toEqual([1, 2]);
});
