// Cuts off who may no longer write: connections carry their owner's number in their name, and a node ends those with a
// lower one. What such a connection sent and the node has not done yet is lost with it.

import { escapeName } from './record-keys.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';

export function runName(project: string, version: string, run: number): string {
  return `${runPrefix(project, version)}${run}`;
}

export function runPrefix(project: string, version: string): string {
  return `hr:run:${escapeName(project)}:${escapeName(version)}:`;
}

export function writerName(project: string, writer: number, holder: number): string {
  return `${writerPrefix(project, writer)}${holder}`;
}

export function writerPrefix(project: string, writer: number): string {
  return `hr:writer:${escapeName(project)}:${writer}:`;
}

/** Ends each connection at the node whose name is `prefix` and a number below `number`. */
export async function fence(connection: Connection, prefix: string, number: number): Promise<void> {
  const list = String(await askOne(connection, 'CLIENT', 'LIST', 'TYPE', 'NORMAL'));
  for (const line of list.split('\n')) {
    const [, id, name = ''] = /^id=(\d+) .* name=(\S*) /.exec(line) ?? [];
    if (id === undefined || !name.startsWith(prefix)) continue;
    const other = Number(name.slice(prefix.length));
    if (other < number) await askOne(connection, 'CLIENT', 'KILL', 'ID', id);
  }
}
