// Claims: a small hash each, `hr:claim:{project:id}`. Who claims hears of it once each connected replica has it: WAIT
// speaks of what its own connection wrote, so claims have connections of their own. Claims that come while others
// are on their way to the same node go together and share one WAIT.

import type { Claim, ClaimPlace } from '../online-store.ts';
import { type Commands, execute, groupByNode } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { slotOfKey } from './cluster/slots.ts';
import { escapeName } from './record-keys.ts';
import type { CommandBuffer } from './resp/command-buffer.ts';
import { ConnectionLost } from './resp/connection.ts';
import { type Reply, readReply } from './resp/reply.ts';
import { CLAIM, EXPIRE_CLAIM, FINISH, type Script } from './scripts.ts';
import { waitForReplicas } from './wait-for-replicas.ts';

export interface Claims {
  /** Per claim the one that holds the id; those without a place only look. */
  ask(wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]>;
  finish(claims: readonly Claim[]): Promise<void>;
  expire(claims: readonly ClaimPlace[], retentionMs: number): Promise<void>;
  slotOf(id: string): number;
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

/** What is asked of one node. */
interface Queue {
  asked: Asked[];
  isBusy: boolean;
}

const MOST_TOGETHER = 1000;
const MOST_TRIES = 4;

/** `links` are for what need not wait; `openWaiting` is called at the first claim. */
export function createClaims(project: string, links: NodeLinks, openWaiting: () => NodeLinks): Claims {
  let waiting: NodeLinks | undefined;
  const queues = new Map<string, Queue>();
  const keyOf = (id: string): string => `hr:claim:{${escapeName(project)}:${id}}`;
  const slotOf = (id: string): number => slotOfKey(keyOf(id));

  return {
    async ask(wanted) {
      const found: (Claim | undefined)[] = Array.from({ length: wanted.length });
      const atNode = async (node: string, indices: readonly number[]): Promise<void> => {
        for (const batch of batchesOf(indices)) {
          const claims = await enqueue(
            node,
            batch.map((index) => wanted[index] as Wanted),
          );
          batch.forEach((index, at) => (found[index] = claims[at]));
        }
      };
      await Promise.all([...byNode(wanted)].map(([node, indices]) => atNode(node, indices)));
      return found;
    },
    async finish(claims) {
      for (const batch of batchesOf(claims)) await finishBatch(batch);
    },
    async expire(claims, retentionMs) {
      for (const batch of batchesOf(claims)) await expireBatch(batch, Math.ceil(retentionMs));
    },
    slotOf,
  };

  async function finishBatch(claims: readonly Claim[]): Promise<void> {
    await execute(links, {
      count: claims.length,
      slot: (index) => slotOf((claims[index] as Claim).id),
      encode(out, index, withScript) {
        const claim = claims[index] as Claim;
        writeCall(out, FINISH, withScript, keyOf(claim.id), [placeOf(claim), claim.result ?? '']);
      },
      onReply() {},
    });
  }

  async function expireBatch(claims: readonly ClaimPlace[], retentionMs: number): Promise<void> {
    await execute(links, {
      count: claims.length,
      slot: (index) => slotOf((claims[index] as ClaimPlace).id),
      encode(out, index, withScript) {
        const claim = claims[index] as ClaimPlace;
        writeCall(out, EXPIRE_CLAIM, withScript, keyOf(claim.id), [placeOf(claim), String(retentionMs)]);
      },
      onReply() {},
    });
  }

  /** Places in `wanted` by the node that they lie on; one that is not known yet is tried all the same. */
  function byNode(wanted: readonly Wanted[]): ReadonlyMap<string, readonly number[]> {
    const { topology } = links;
    const nodes = new Map<string, number[]>();
    wanted.forEach(({ id }, index) => {
      const node = topology.nodeOfSlot(topology.isCluster ? slotOf(id) : 0)?.name ?? '';
      const its = nodes.get(node);
      if (its === undefined) nodes.set(node, [index]);
      else its.push(index);
    });
    return nodes;
  }

  function enqueue(node: string, wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]> {
    let queue = queues.get(node);
    if (queue === undefined) queues.set(node, (queue = { asked: [], isBusy: false }));
    const its = queue;
    return new Promise((resolve, reject) => {
      its.asked.push({ wanted, resolve, reject });
      if (!its.isBusy) void work(its);
    });
  }

  async function work(queue: Queue): Promise<void> {
    queue.isBusy = true;
    while (queue.asked.length > 0) {
      const together = takeBatch(queue);
      try {
        const found = await askTogether(together.flatMap(({ wanted }) => wanted));
        let at = 0;
        for (const { wanted, resolve } of together) resolve(found.slice(at, (at += wanted.length)));
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    queue.isBusy = false;
  }

  function takeBatch(queue: Queue): Asked[] {
    let count = 0;
    const end = queue.asked.findIndex(({ wanted }) => (count += wanted.length) >= MOST_TOGETHER);
    const batch = end < 0 ? queue.asked : queue.asked.slice(0, end + 1);
    queue.asked = end < 0 ? [] : queue.asked.slice(end + 1);
    return batch;
  }

  async function askTogether(wanted: readonly Wanted[]): Promise<readonly (Claim | undefined)[]> {
    const found: (Claim | undefined)[] = Array.from({ length: wanted.length });
    const commands: Commands = {
      count: wanted.length,
      slot: (index) => slotOf((wanted[index] as Wanted).id),
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
    if (waiting.topology.nodes.length === 0) await waiting.topology.refresh();
    // No other node than those: one that does not answer is no matter of these claims.
    await Promise.all(groupByNode(waiting, commands, raise).map(([connection]) => connection.tried));
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
  await Promise.all(groupByNode(links, commands, raise).map(([connection]) => waitForReplicas(connection)));
}

function raise(_index: number, failure: Error): never {
  throw failure;
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

function placeOf({ writer, offset }: ClaimPlace): string {
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
