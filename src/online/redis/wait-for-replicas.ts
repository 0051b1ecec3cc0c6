// Waits until every connected replica has what a connection wrote, so that no failover to one of them can lose it.

import { type Connection, ConnectionLost } from './resp/connection.ts';
import { type Reply, readReply, RedisReplyError } from './resp/reply.ts';

const WAIT_MS = 100;
/** After it the asker is told that it failed: within the time that a request has. */
const LIMIT_MS = 700;

/** How many replicas each node had when it was asked last: most often as many as it has now. */
const lastCounts = new WeakMap<Connection, number>();

/**
 * Speaks of all that was asked on the connection before. A replica that goes away is no longer waited for. Throws
 * ConnectionLost when one that is connected does not keep up.
 */
export async function waitForReplicas(connection: Connection): Promise<void> {
  const { epoch } = connection;
  const limitMs = performance.now() + LIMIT_MS;
  for (;;) {
    const [connected, caughtUp] = await askBoth(connection, lastCounts.get(connection) ?? 0);
    lastCounts.set(connection, connected);
    if (caughtUp >= connected) return;
    if (performance.now() > limitMs) {
      throw new ConnectionLost(`only ${caughtUp} of its ${connected} replicas have what was written`);
    }
    // A new connection would speak of nothing that the lost one wrote.
    if (connection.epoch !== epoch) throw new ConnectionLost('it ended the connection');
  }
}

/** How many replicas there are, and how many have everything. */
async function askBoth(connection: Connection, expected: number): Promise<[number, number]> {
  const replies: Reply[] = [];
  await connection.request(
    (out) => {
      // ROLE first: WAIT holds up what comes behind it.
      out.words('ROLE');
      out.words('WAIT', expected, WAIT_MS);
      return 2;
    },
    (bytes, start) => {
      const reply = readReply(bytes, start);
      if (reply instanceof RedisReplyError) throw reply;
      replies.push(reply);
    },
  );
  const [role, caughtUp] = replies;
  // A master's role: its name, its offset, its replicas.
  const [name, , replicas] = role as readonly [Buffer, number, readonly Reply[]];
  if (name.toString() !== 'master') throw new ConnectionLost('it is no master any more');
  return [replicas.length, caughtUp as number];
}
