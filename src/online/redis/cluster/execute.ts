// Sends commands to the nodes that have their slots, all nodes side by side, and again where a node sends them
// elsewhere or has forgotten a script.

import type { CommandBuffer } from '../resp/command-buffer.ts';
import type { Connection } from '../resp/connection.ts';
import { isErrorReply, readReply, RedisReplyError } from '../resp/reply.ts';
import type { NodeLinks } from './node-links.ts';

/** Commands of one key each, that can be encoded again. */
export interface Commands {
  readonly count: number;
  slot(index: number): number;
  /** Writes one command; `withScript`: the script's text instead of its hash, which the node has forgotten. */
  encode(out: CommandBuffer, index: number, withScript: boolean): void;
  onReply(index: number, bytes: Buffer, start: number): void;
  /** Given it, a failure is its command's alone, told here, of one that was answered before too; else the first is thrown. */
  onFailure?(index: number, failure: Error): void;
  /** What is asked now is all of this turn's: it goes out at once. */
  readonly isTurnOver?: boolean;
  /** What has to end well before a connection gets any of them; undefined: nothing. Asked when it is ready. */
  waitsFor?(): Promise<void> | undefined;
}

export interface Executed {
  /** Whether some had to be sent again, later than the others or elsewhere. */
  readonly hasRetried: boolean;
}

interface Retry {
  readonly index: number;
  readonly error: RedisReplyError;
}

const MOST_ROUNDS = 6;

/** Everything is written to the connections before the first await, unless it has to wait. Throws the first failure. */
export async function execute(links: NodeLinks, commands: Commands): Promise<Executed> {
  if (commands.count === 0) return { hasRetried: false };
  let retries: Retry[] = [];
  let failure: Error | undefined;
  const { onFailure } = commands;
  const fail = (indices: readonly number[] | undefined, error: Error): void => {
    refreshIfDown(links, error);
    if (onFailure === undefined) failure ??= error;
    else if (indices !== undefined) for (const index of indices) onFailure(index, error);
    else for (let index = 0; index < commands.count; index++) onFailure(index, error);
  };

  const send = async (connection: Connection, indices: readonly number[] | undefined): Promise<void> => {
    try {
      if (!connection.isReady) await connection.tried;
      // One may begin while another is waited for.
      for (let first = commands.waitsFor?.(); first !== undefined; first = commands.waitsFor?.()) await first;
      const answered = connection.request(
        (out) => {
          if (indices === undefined) for (let i = 0; i < commands.count; i++) commands.encode(out, i, false);
          else for (const index of indices) commands.encode(out, index, false);
          return indices === undefined ? commands.count : indices.length;
        },
        (bytes, start, at) => {
          const index = indices === undefined ? at : (indices[at] as number);
          if (!isErrorReply(bytes, start)) {
            commands.onReply(index, bytes, start);
            return;
          }
          const error = readReply(bytes, start) as RedisReplyError;
          note(index, error);
          // Behind the same address another server may be master now.
          if (error.code === 'READONLY') setImmediate(() => connection.drop(error));
        },
      );
      if (commands.isTurnOver === true) connection.flush();
      await answered;
    } catch (error) {
      fail(indices, error as Error);
    }
  };
  const note = (index: number, error: RedisReplyError): void => {
    if (isRetriable(error)) retries.push({ index, error });
    else fail([index], error);
  };

  const groups = groupByNode(links, commands, (index, error) => {
    if (onFailure === undefined) throw error;
    onFailure(index, error);
  });
  await Promise.all(groups.map(([connection, indices]) => send(connection, indices)));
  const hasRetried = retries.length > 0;
  for (let round = 0; retries.length > 0 && failure === undefined; round++) {
    const again = retries;
    retries = [];
    if (round === MOST_ROUNDS) {
      for (const { index, error } of again) fail([index], error);
      break;
    }
    if (again.some(({ error }) => error.code === 'MOVED')) await links.topology.refresh();
    const failAlone = (index: number) => (error: unknown) => fail([index], error as Error);
    await Promise.all(again.map((retry) => sendAgain(links, commands, retry, note).catch(failAlone(retry.index))));
  }
  if (failure !== undefined) throw failure;
  return { hasRetried };
}

// The cluster may have a new order that this process has not heard of.
function refreshIfDown({ topology }: NodeLinks, failure: Error): void {
  if (failure instanceof RedisReplyError && failure.code === 'CLUSTERDOWN') void topology.refresh();
}

/** Which connection gets which commands; undefined is all. `onUnknown` hears of those whose node is not known. */
export function groupByNode(
  links: NodeLinks,
  commands: Commands,
  onUnknown: (index: number, failure: Error) => void,
): [Connection, number[] | undefined][] {
  if (!links.topology.isCluster) return [[links.toSlot(0), undefined]];
  const byNode = new Map<Connection, number[]>();
  for (let index = 0; index < commands.count; index++) {
    const connection = connectionOf(links, commands.slot(index), (failure) => onUnknown(index, failure));
    if (connection === undefined) continue;
    const indices = byNode.get(connection);
    if (indices === undefined) byNode.set(connection, [index]);
    else indices.push(index);
  }
  return [...byNode];
}

function connectionOf(links: NodeLinks, slot: number, onUnknown: (failure: Error) => void): Connection | undefined {
  try {
    return links.toSlot(slot);
  } catch (failure) {
    onUnknown(failure as Error);
    return undefined;
  }
}

function isRetriable({ code }: RedisReplyError): boolean {
  return code === 'NOSCRIPT' || code === 'MOVED' || code === 'ASK';
}

async function sendAgain(
  links: NodeLinks,
  commands: Commands,
  { index, error }: Retry,
  note: (index: number, error: RedisReplyError) => void,
): Promise<void> {
  const slot = commands.slot(index);
  const connection = error.code === 'NOSCRIPT' ? links.toSlot(slot) : sentTo(links, slot, error);
  if (!connection.isReady) await connection.tried;
  for (let first = commands.waitsFor?.(); first !== undefined; first = commands.waitsFor?.()) await first;
  const isAsk = error.code === 'ASK';
  await connection.request(
    (out) => {
      if (isAsk) out.words('ASKING');
      commands.encode(out, index, true);
      return isAsk ? 2 : 1;
    },
    (bytes, start, at) => {
      if (isAsk && at === 0) return;
      if (isErrorReply(bytes, start)) note(index, readReply(bytes, start) as RedisReplyError);
      else commands.onReply(index, bytes, start);
    },
  );
}

/** Where `MOVED 3999 127.0.0.1:6381` points to; an empty host is that of who said it. */
function sentTo(links: NodeLinks, slot: number, error: RedisReplyError): Connection {
  const match = /^\S+ \d+ (.*):(\d+)/.exec(error.message);
  const [, host = '', port = ''] = match ?? [];
  const own = links.topology.nodeOfSlot(slot)?.host ?? '';
  return links.toPlace(host === '' ? own : host, Number(port));
}
