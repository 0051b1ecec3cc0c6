// Claims: a small hash each, `hr:claim:{project:id}`. A claim is given once the promised replicas and the server's disk
// have it: WAIT and WAITAOF speak of what their own connection wrote, so claims have connections of their own. Claims that
// come while others are on their way to the same node go together and share one wait. A disk may take a second: so some
// rounds of claims wait at a time, each on another connection.

import { leastDurable } from '../claims.ts';
import type { Claim, ClaimPlace, Durable } from '../online-store.ts';
import { type Commands, execute, groupByNode } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { slotOfKey } from './cluster/slots.ts';
import { escapeName } from './record-keys.ts';
import type { CommandBuffer } from './resp/command-buffer.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { type Reply, readReply } from './resp/reply.ts';
import { type PromisedReplicas, type UnsaidSync, waitUntilDurable } from './durable-writes.ts';
import { CLAIM, EXPIRE_CLAIM, FINISH, RELEASE, type Script } from './scripts.ts';

export interface Claims {
  /**
   * Per claim the one that holds the id, and what it survives; those without a place only look. Throws TooFewCopies when
   * fewer places have them than promised.
   */
  ask(wanted: readonly Wanted[]): Promise<readonly Found[]>;
  finish(claims: readonly Claim[]): Promise<void>;
  release(claims: readonly ClaimPlace[]): Promise<void>;
  expire(claims: readonly ClaimPlace[], retentionMs: number): Promise<void>;
  slotOf(id: string): number;
}

export interface Wanted {
  readonly id: string;
  readonly claim?: Claim;
}

export interface Found {
  readonly claim: Claim | undefined;
  readonly durable: Durable;
}

interface Asked {
  readonly wanted: readonly Wanted[];
  readonly resolve: (found: readonly Found[]) => void;
  readonly reject: (error: unknown) => void;
}

/** What is asked of one node. */
interface Queue {
  asked: Asked[];
  /** Rounds that wait, by the place of their connection in `waiting`. */
  readonly rounds: Set<number>;
  /** When the last began. */
  beganMs: number;
  /** Set while the next one is to begin. */
  timer: NodeJS.Timeout | undefined;
}

export interface ClaimsContext {
  readonly project: string;
  /** For what need not wait. */
  readonly links: NodeLinks;
  /** Called for the first claim, and for each further round that waits at the same time. */
  openWaiting(): NodeLinks;
  /** Of a node by its name. */
  promised(node: string): PromisedReplicas;
  /** Called with each round of claims at a node that does not say when its file is synced. */
  onUnsaid(node: string, unsaid: UnsaidSync): void;
}

const MOST_TOGETHER = 1000;
const MOST_TRIES = 4;
/** Rounds of one node that wait at a time, and how long after the last the next begins. */
const MOST_ROUNDS = 4;
const ROUNDS_APART_MS = 250;
/** No claim is so late: those who give up a place send no more claims of it. */
const RELEASED_MS = 86_400_000;

export function createClaims({ project, links, openWaiting, promised, onUnsaid }: ClaimsContext): Claims {
  /** Connections by round. */
  const waiting: NodeLinks[] = [];
  const queues = new Map<string, Queue>();
  const keyOf = (id: string): string => `hr:claim:{${escapeName(project)}:${id}}`;
  const slotOf = (id: string): number => slotOfKey(keyOf(id));

  return {
    async ask(wanted) {
      const found: Found[] = Array.from({ length: wanted.length });
      const atNode = async (node: string, indices: readonly number[]): Promise<void> => {
        for (const batch of batchesOf(indices)) {
          const claims = await enqueue(
            node,
            batch.map((index) => wanted[index] as Wanted),
          );
          batch.forEach((index, at) => (found[index] = claims[at] as Found));
        }
      };
      await Promise.all([...byNode(wanted)].map(([node, indices]) => atNode(node, indices)));
      return found;
    },
    async finish(claims) {
      for (const batch of batchesOf(claims)) await finishBatch(batch);
    },
    async release(claims) {
      for (const batch of batchesOf(claims)) await callEach(RELEASE, batch, RELEASED_MS);
    },
    async expire(claims, retentionMs) {
      for (const batch of batchesOf(claims)) await callEach(EXPIRE_CLAIM, batch, Math.ceil(retentionMs));
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

  async function callEach(script: Script, claims: readonly ClaimPlace[], ms: number): Promise<void> {
    await execute(links, {
      count: claims.length,
      slot: (index) => slotOf((claims[index] as ClaimPlace).id),
      encode(out, index, withScript) {
        const claim = claims[index] as ClaimPlace;
        writeCall(out, script, withScript, keyOf(claim.id), [placeOf(claim), String(ms)]);
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

  function enqueue(node: string, wanted: readonly Wanted[]): Promise<readonly Found[]> {
    let queue = queues.get(node);
    if (queue === undefined)
      queues.set(node, (queue = { asked: [], rounds: new Set(), beganMs: -Infinity, timer: undefined }));
    const its = queue;
    return new Promise((resolve, reject) => {
      its.asked.push({ wanted, resolve, reject });
      beginRound(node, its);
    });
  }

  /** Begins one at once where none waits; else a while after the last, unless that ends before. */
  function beginRound(node: string, queue: Queue): void {
    if (queue.asked.length === 0 || queue.rounds.size === MOST_ROUNDS) return;
    const dueMs = queue.rounds.size === 0 ? 0 : queue.beganMs + ROUNDS_APART_MS - performance.now();
    if (dueMs <= 0) {
      clearTimeout(queue.timer);
      queue.timer = undefined;
      void work(node, queue);
    } else {
      queue.timer ??= setTimeout(() => {
        queue.timer = undefined;
        beginRound(node, queue);
      }, Math.ceil(dueMs));
    }
  }

  async function work(node: string, queue: Queue): Promise<void> {
    let round = 0;
    while (queue.rounds.has(round)) round++;
    queue.rounds.add(round);
    queue.beganMs = performance.now();
    const together = takeBatch(queue);
    // What is left is more than goes in one round.
    beginRound(node, queue);
    try {
      const found = await askTogether(
        node,
        round,
        together.flatMap(({ wanted }) => wanted),
      );
      let at = 0;
      for (const { wanted, resolve } of together) resolve(found.slice(at, (at += wanted.length)));
    } catch (error) {
      for (const { reject } of together) reject(error);
    }
    queue.rounds.delete(round);
    beginRound(node, queue);
  }

  function takeBatch(queue: Queue): Asked[] {
    let count = 0;
    const end = queue.asked.findIndex(({ wanted }) => (count += wanted.length) >= MOST_TOGETHER);
    const batch = end < 0 ? queue.asked : queue.asked.slice(0, end + 1);
    queue.asked = end < 0 ? [] : queue.asked.slice(end + 1);
    return batch;
  }

  async function askTogether(node: string, round: number, wanted: readonly Wanted[]): Promise<readonly Found[]> {
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
    const own = (waiting[round] ??= openWaiting());
    if (own.topology.nodes.length === 0) await own.topology.refresh();
    // No other node than those: one that does not answer is no matter of these claims.
    await Promise.all(groupByNode(own, commands, raise).map(([connection]) => connection.tried));
    // Asking again does no harm: an entry that holds its claim goes on holding it.
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      // The waits are sent behind the claims in the same turn, so on the very sockets that those went out on.
      const asked = execute(own, commands);
      const waited = waitAt(own, commands, (connection) =>
        waitUntilDurable(connection, promised(node), (unsaid) => onUnsaid(node, unsaid)),
      );
      const [{ hasRetried }, durable] = await Promise.all([asked, waited]);
      if (!hasRetried) return found.map((claim) => ({ claim, durable }));
    }
    throw new ConnectionLost('the slots of its claims are on the move');
  }
}

function batchesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / MOST_TOGETHER);
  return Array.from({ length: count }, (_, at) => items.slice(at * MOST_TOGETHER, (at + 1) * MOST_TOGETHER));
}

/** What the least safe of the nodes says. */
async function waitAt(
  links: NodeLinks,
  commands: Commands,
  wait: (connection: Connection) => Promise<Durable>,
): Promise<Durable> {
  const nodes = groupByNode(links, commands, raise);
  return leastDurable(await Promise.all(nodes.map(([connection]) => wait(connection))));
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
