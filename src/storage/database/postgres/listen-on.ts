// Who listens on Postgres: a connection of its own, made anew where it was lost.

import type { Client } from 'pg';

const AGAIN_MS = 1000;

/** The client has both, its types don't. */
type Unreferable = Client & { ref(): void; unref(): void };

/** Rejects where the first connection can't be made. */
export async function listenOn(open: () => Client, channel: string, wake: () => void): Promise<() => Promise<void>> {
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const connect = async (): Promise<void> => {
    const made = open();
    let isLost = false;
    const lost = (): void => {
      if (isLost) return;
      isLost = true;
      if (client === made) again();
    };
    made.on('error', lost).on('end', lost).on('notification', wake);
    try {
      await made.connect();
      await made.query(`listen ${made.escapeIdentifier(channel)}`);
    } catch (error) {
      await made.end().catch(() => {});
      throw error;
    }
    if (isOver) return made.end();
    client = made;
    // Nobody's process goes on only to listen.
    (made as Unreferable).unref();
    if (isLost) again();
  };
  const again = (): void => {
    client = undefined;
    if (isOver) return;
    timer = setTimeout(() => {
      // What was told meanwhile nobody heard.
      connect().then(wake, again);
    }, AGAIN_MS).unref();
  };
  await connect();
  return async () => {
    isOver = true;
    clearTimeout(timer);
    const made = client;
    client = undefined;
    // A process that waits for the end does not end before it.
    (made as Unreferable | undefined)?.ref();
    await made?.end().catch(() => {});
  };
}
