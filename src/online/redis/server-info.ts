// What a Redis server reports of itself by INFO. Managed servers forbid CONFIG; most allow INFO.

import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';
import { RedisReplyError } from './resp/reply.ts';

/** INFO's fields by name, as text; undefined where the server refuses INFO to this user. */
export type ServerInfo = ReadonlyMap<string, string>;

/** Asks for all default sections: one command, which servers before Redis 7 know too. */
export async function readServerInfo(connection: Connection): Promise<ServerInfo | undefined> {
  try {
    return parseInfo(String(await askOne(connection, 'INFO')));
  } catch (error) {
    if (error instanceof RedisReplyError) return undefined;
    throw error;
  }
}

/** Lines `field:value`; headings of sections begin with `#`. */
export function parseInfo(text: string): ServerInfo {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
