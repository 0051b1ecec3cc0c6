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

/** Whose connections a fence ends: those to the database number that the URL names, whose name is `prefix` and a number below `number`. */
export interface Fenced {
  readonly database: number | undefined;
  readonly prefix: string;
  readonly number: number;
}

/**
 * Ends those connections at the node. CLIENT LIST shows the connections of every database, and another environment's
 * connections have the same names under another database number.
 */
export async function fence(connection: Connection, { database = 0, prefix, number }: Fenced): Promise<void> {
  const list = String(await askOne(connection, 'CLIENT', 'LIST', 'TYPE', 'NORMAL'));
  for (const line of list.split('\n')) {
    const [, id, name = '', db] = /^id=(\d+) .* name=(\S*) .* db=(\d+) /.exec(line) ?? [];
    if (id === undefined || Number(db) !== database || !name.startsWith(prefix)) continue;
    const other = Number(name.slice(prefix.length));
    if (other < number) await askOne(connection, 'CLIENT', 'KILL', 'ID', id);
  }
}
