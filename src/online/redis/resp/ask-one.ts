// One command of plain words and its reply as a value, for what is asked rarely.

import type { Connection } from './connection.ts';
import { type Reply, readReply, RedisReplyError } from './reply.ts';

/** Throws what the server refuses. */
export async function askOne(connection: Connection, ...words: readonly (string | number)[]): Promise<Reply> {
  let reply: Reply = null;
  if (!connection.isReady) await connection.tried;
  await connection.request(
    (out) => {
      out.words(...words);
      return 1;
    },
    (bytes, start) => {
      reply = readReply(bytes, start);
      if (reply instanceof RedisReplyError) throw reply;
    },
  );
  return reply;
}
