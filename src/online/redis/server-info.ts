// What a Redis server reports of itself: its time, and the fields of INFO. Managed servers forbid CONFIG; most allow INFO.

import { type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';
import { RedisReplyError } from './resp/reply.ts';

/** INFO's fields by name, as text; undefined where the server refuses INFO to this user. */
export type ServerInfo = ReadonlyMap<string, string>;

/** Of one section, or all default ones: one command, which servers before Redis 7 know too. */
export async function readServerInfo(connection: Connection, section?: string): Promise<ServerInfo | undefined> {
  const info = await askServerInfo(connection, section);
  return info instanceof RedisReplyError ? undefined : info;
}

/** The same, with the reason where the server refuses. */
export async function askServerInfo(connection: Connection, section?: string): Promise<ServerInfo | RedisReplyError> {
  try {
    const words = section === undefined ? ['INFO'] : ['INFO', section];
    return parseInfo(String(await askOne(connection, ...words)));
  } catch (error) {
    if (error instanceof RedisReplyError) return error;
    throw error;
  }
}

/** By the server's clock. */
export async function readServerTime(connection: Connection): Promise<Micros> {
  // TIME gives seconds and the microseconds of the second.
  const [seconds, micros] = (await askOne(connection, 'TIME')) as readonly [Buffer, Buffer];
  return Number(seconds) * MICROS_PER_SECOND + Number(micros);
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
