// Claims: a small hash each, `hr:claim:{project:id}`. Who claims hears of it once each connected replica has it: WAIT
// speaks of what its own connection wrote, so claims have connections of their own. Claims that come while others
// are on their way go together and share one WAIT.

import type { Claim } from '../online-store.ts';
import { type Commands, execute, groupByNode } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { slotOfKey } from './cluster/slots.ts';
import { escapeName } from './record-keys.ts';
import type { CommandBuffer } from './resp/command-buffer.ts';
import { ConnectionLost } from './resp/connection.ts';
import { type Reply, readReply } from './resp/reply.ts';
import { CLAIM, FINISH, type Script } from './scripts.ts';
import { waitForReplicas } from './wait-for-replicas.ts';

export interface Claims {
  /** Per claim the one that holds the id; those without a place only look. */
  ask(wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]>;
  finish(claims: readonly Claim[]): Promise<void>;
  expire(ids: readonly string[], retentionMs: number): Promise<void>;
}

export interface Wanted {
  readonly id: string;
  readonly claim?: Claim;
}

interface Asked {
  readonly wanted: readonly Wanted[];
  readonly resolve: (found: readonly (Claim | undefined)[]) => void;
  readonly reject: (error: unknown) => void;
}

const MOST_TOGETHER = 1000;
const MOST_TRIES = 4;

/** `links` are for what need not wait; `openWaiting` is called at the first claim. */
export function createClaims(project: string, links: NodeLinks, openWaiting: () => NodeLinks): Claims {
  let waiting: NodeLinks | undefined;
  let queue: Asked[] = [];
  let isBusy = false;
  const keyOf = (id: string): string => `hr:claim:{${escapeName(project)}:${id}}`;

  return {
    async ask(wanted) {
      const found: (Claim | undefined)[] = [];
      for (const batch of batchesOf(wanted)) found.push(...(await enqueue(batch)));
      return found;
    },
    async finish(claims) {
      for (const batch of batchesOf(claims)) await finishBatch(batch);
    },
    async expire(ids, retentionMs) {
      for (const batch of batchesOf(ids)) await expireBatch(batch, Math.ceil(retentionMs));
    },
  };

  async function finishBatch(claims: readonly Claim[]): Promise<void> {
    await execute(links, {
      count: claims.length,
      slot: (index) => slotOfKey(keyOf((claims[index] as Claim).id)),
      encode(out, index, withScript) {
        const claim = claims[index] as Claim;
        writeCall(out, FINISH, withScript, keyOf(claim.id), [placeOf(claim), claim.result ?? '']);
      },
      onReply() {},
    });
  }

  async function expireBatch(ids: readonly string[], retentionMs: number): Promise<void> {
    await execute(links, {
      count: ids.length,
      slot: (index) => slotOfKey(keyOf(ids[index] as string)),
      encode: (out, index) => out.words('PEXPIRE', keyOf(ids[index] as string), retentionMs),
      onReply() {},
    });
  }

  function enqueue(wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]> {
    return new Promise((resolve, reject) => {
      queue.push({ wanted, resolve, reject });
      if (!isBusy) void work();
    });
  }

  async function work(): Promise<void> {
    isBusy = true;
    while (queue.length > 0) {
      const together = takeBatch();
      try {
        const found = await askTogether(together.flatMap(({ wanted }) => wanted));
        let at = 0;
        for (const { wanted, resolve } of together) resolve(found.slice(at, (at += wanted.length)));
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    isBusy = false;
  }

  function takeBatch(): Asked[] {
    let count = 0;
    const end = queue.findIndex(({ wanted }) => (count += wanted.length) >= MOST_TOGETHER);
    const batch = end < 0 ? queue : queue.slice(0, end + 1);
    queue = end < 0 ? [] : queue.slice(end + 1);
    return batch;
  }

  async function askTogether(wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]> {
    const found: (Claim | undefined)[] = Array.from({ length: wanted.length });
    const commands: Commands = {
      count: wanted.length,
      slot: (index) => slotOfKey(keyOf((wanted[index] as Wanted).id)),
      encode(out, index, withScript) {
        const { id, claim } = wanted[index] as Wanted;
        const args = claim === undefined ? [] : [placeOf(claim), claim.payloadHash];
        writeCall(out, CLAIM, withScript, keyOf(id), args);
      },
      onReply(index, bytes, start) {
        found[index] = readClaim((wanted[index] as Wanted).id, readReply(bytes, start));
      },
    };
    waiting ??= openWaiting();
    await waiting.tried();
    // Asking again does no harm: an entry that holds its claim goes on holding it.
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      // The waits are sent behind the claims in the same turn, so on the very sockets that those went out on.
      const asked = execute(waiting, commands);
      const [{ hasRetried }] = await Promise.all([asked, waitAt(waiting, commands)]);
      if (!hasRetried) return found;
    }
    throw new ConnectionLost('the slots of its claims are on the move');
  }
}

function batchesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / MOST_TOGETHER);
  return Array.from({ length: count }, (_, at) => items.slice(at * MOST_TOGETHER, (at + 1) * MOST_TOGETHER));
}

async function waitAt(links: NodeLinks, commands: Commands): Promise<void> {
  await Promise.all(groupByNode(links, commands).map(([connection]) => waitForReplicas(connection)));
}

function writeCall(
  out: CommandBuffer,
  script: Script,
  withScript: boolean,
  key: string,
  args: readonly string[],
): void {
  out.command(4 + args.length);
  out.raw(withScript ? script.byText : script.byHash);
  out.text(1);
  out.text(key);
  for (const arg of args) out.text(arg);
}

function placeOf({ writer, offset }: Claim): string {
  return `${writer}.${offset}`;
}

// HMGET's reply: place, payload hash, result.
function readClaim(id: string, reply: Reply): Claim | undefined {
  const [place, payload, result] = reply as readonly (Buffer | null)[];
  if (place === null || place === undefined) return undefined;
  const [writer, offset] = place.toString().split('.');
  return {
    id,
    writer: Number(writer),
    offset: Number(offset),
    payloadHash: payload?.toString() ?? '',
    ...(result === null || result === undefined ? {} : { result: result.toString() }),
  };
}
