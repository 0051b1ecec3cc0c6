// Many commands in one round trip, on one node or grouped by node in a cluster; and walking keys by prefix.

import { Redis } from 'ioredis';
import { COMPARE_AND_SET } from './compare-and-set.ts';
import { type RedisConnection, toRedisError } from './redis-connection.ts';

type Command = readonly (string | number | Buffer)[];

/** Runs commands whose replies are buffers, numbers or arrays of them; the first failure is thrown as the catalogue's. */
export type RoundTrip = (commands: readonly Command[]) => Promise<readonly unknown[]>;

export function createRoundTrip(connection: RedisConnection, label: string): RoundTrip {
  return async (commands) => {
    if (commands.length === 0) return [];
    try {
      return await runAll(connection, commands);
    } catch (error) {
      throw toRedisError(error, label);
    }
  };
}

async function runAll(connection: RedisConnection, commands: readonly Command[]): Promise<readonly unknown[]> {
  const replies = await send(connection, commands);
  const unknown = commands.flatMap((_, at) => (isNoScript(replies[at]) ? [at] : []));
  if (unknown.length > 0) {
    // A server that restarted has forgotten the script: the full text teaches it again.
    const again = await send(
      connection,
      unknown.map((at) => ['EVAL', COMPARE_AND_SET, ...(commands[at] as Command).slice(2)]),
    );
    unknown.forEach((at, index) => {
      replies[at] = again[index];
    });
  }
  for (const reply of replies) if (reply instanceof Error) throw reply;
  return replies;
}

function isNoScript(reply: unknown): boolean {
  return reply instanceof Error && reply.message.startsWith('NOSCRIPT');
}

async function send(connection: RedisConnection, commands: readonly Command[]): Promise<unknown[]> {
  if (connection instanceof Redis) {
    if (connection.status !== 'ready') throw new Error('there is no connection to it at the moment');
    const pipeline = connection.pipeline();
    for (const [name, ...args] of commands) pipeline.callBuffer(String(name), ...args);
    const replies = await pipeline.exec();
    return (replies ?? []).map(([error, reply]) => error ?? reply);
  }
  // Each goes to the node of its key at once; the replies are awaited together: one round trip, side by side.
  return Promise.all(
    commands.map(([name, ...args]) =>
      connection.callBuffer(String(name), ...args).catch((error: unknown) => error as Error),
    ),
  );
}

/** Keys that start with `prefix`, in batches, over all nodes. Walks the whole keyspace: never while serving. */
export async function* scanKeys(connection: RedisConnection, prefix: string, label: string): AsyncGenerator<string[]> {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}*`;
  const nodes = connection instanceof Redis ? [connection] : connection.nodes('master');
  // SCAN may give a key more than once.
  const seen = new Set<string>();
  for (const node of nodes) {
    let cursor = '0';
    do {
      let keys: string[];
      try {
        [cursor, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 1000);
      } catch (error) {
        throw toRedisError(error, label);
      }
      const fresh = keys.filter((key) => !seen.has(key));
      for (const key of fresh) seen.add(key);
      if (fresh.length > 0) yield fresh;
    } while (cursor !== '0');
  }
}
