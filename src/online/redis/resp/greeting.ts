// The first words on a new connection: who we are, which database, our name, and whether the server is ready.

import type { CommandBuffer } from './command-buffer.ts';
import type { OnEachReply } from './pending.ts';
import { isErrorReply, readReply, RedisReplyError } from './reply.ts';

/** How to reach a server and who to be there; the password is for the server alone. */
export interface RedisLogin {
  readonly isTls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
}

type Ask = (encode: (out: CommandBuffer) => number, onReply?: OnEachReply) => Promise<void>;

/** Throws what the server refused. PING comes last: a server that still loads its data refuses it. */
export async function greet(ask: Ask, login: RedisLogin, name: string): Promise<void> {
  await ask(
    (out) => {
      let count = 2;
      const { username, password = '' } = login;
      if (username !== undefined) out.words('AUTH', username, password);
      else if (password !== '') out.words('AUTH', password);
      if (username !== undefined || password !== '') count++;
      if (login.database !== undefined && login.database !== 0) {
        count++;
        out.words('SELECT', login.database);
      }
      out.words('CLIENT', 'SETNAME', name);
      out.words('PING');
      return count;
    },
    (bytes, start) => {
      if (!isErrorReply(bytes, start)) return;
      const refused = readReply(bytes, start);
      throw refused instanceof RedisReplyError ? refused : new RedisReplyError('ERR refused');
    },
  );
}
