// A write is durable by what the server says on the connection that made it, and on no later one.

import { expect, it } from 'vitest';
import { PromisedReplicas, replicasOf, waitUntilDurable } from '../../src/online/redis/durable-writes.ts';
import { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { type Connection, ConnectionLost } from '../../src/online/redis/resp/connection.ts';

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A server with `appendfsync everysec` that answers WAITAOF once its file is written. */
const SERVER: readonly (readonly [string, readonly string[]])[] = [
  ['ROLE', [`*3\r\n${bulk('master')}:0\r\n*0\r\n`, ':0\r\n']],
  ['CONFIG', [`*2\r\n${bulk('appendfsync')}${bulk('everysec')}`]],
  ['WAITAOF', ['*2\r\n:1\r\n:0\r\n']],
  ['persistence', [bulk('aof_pending_bio_fsync:0\r\n')]],
  ['INFO', [bulk('redis_version:7.2.4\r\naof_enabled:1\r\n')]],
];

/** `onAsked` hears the command before it is answered. */
function connectionTo(onAsked: (command: string, connection: { epoch: number }) => void): Connection {
  const connection = {
    isReady: true,
    epoch: 1,
    tried: Promise.resolve(),
    async request(encode: (out: CommandBuffer) => number, onReply: (bytes: Buffer, start: number, at: number) => void) {
      const out = new CommandBuffer();
      encode(out);
      const { written } = out.take();
      const [name, replies] = SERVER.find(([command]) => written.includes(command)) ?? expect.fail(written.toString());
      await Promise.resolve();
      onAsked(name, connection);
      replies.forEach((reply, at) => onReply(Buffer.from(reply), 0, at));
    },
  };
  // As much of a connection as is used here.
  return connection as unknown as Connection;
}

it('is not confirmed by a server that a new connection leads to, which may have started again without it', async () => {
  let looks = 0;
  const connection = connectionTo((command, own) => {
    if (command === 'persistence' && ++looks === 2) own.epoch++;
  });
  const onUnsaid = () => expect.fail('it answers WAITAOF');
  await expect(waitUntilDurable(connection, new PromisedReplicas(0), onUnsaid)).rejects.toThrow(ConnectionLost);
  expect(looks).toBe(2);
});

it.each([
  ['a master', [Buffer.from('master'), 0, ['a', 'b']], 2],
  ['a replica', [Buffer.from('slave'), Buffer.from('127.0.0.1'), 6379, Buffer.from('connected'), 0], undefined],
  ['a text', Buffer.from('master'), undefined],
  ['a master without a list', [Buffer.from('master'), 0], undefined],
  ['nothing', null, undefined],
])('as many replicas are connected as %s says', (_, role, replicas) => {
  expect(replicasOf(role)).toBe(replicas);
});
