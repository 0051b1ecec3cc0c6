// When a write to Redis counts as durable: the promised number of replicas has it (WAIT), and the server's own disk where
// the server appends to a file and can say that the file was synced (WAITAOF: Redis 7.2, Valkey). Older servers can't say
// it, except that with `appendfsync always` they answer nothing before it. A server that refuses INFO to this user may
// append to a file; nobody can tell.

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../core/index.ts';
import type { Durable } from '../online-store.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { askOne } from './resp/ask-one.ts';
import { type Reply, readReply, RedisReplyError } from './resp/reply.ts';
import { readServerInfo } from './server-info.ts';

/** How long one WAIT or WAITAOF holds up its connection: less than the time after which a connection counts as lost. */
const WAIT_MS = 100;
const WAITAOF_MS = 300;
/** How long fewer replicas than promised may have the write. */
export const REPLICAS_LIMIT_MS = 1000;
/** How long the disk may take: `appendfsync everysec` takes about a second. */
export const DISK_LIMIT_MS = 3000;
/** A replica that was connected so long ago is still promised. */
const REMEMBERED_MS = 10 * 60_000;

/** The server took a write and goes on, but fewer places have it than promised. */
export class TooFewCopies extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TooFewCopies';
  }
}

/**
 * How many replicas of one node must have a write: as many as are set, or else the most that were connected within the
 * last 10 minutes. So a replica that is away for a moment is missed, and one that was removed is forgotten.
 */
export class PromisedReplicas {
  readonly #set: number | undefined;
  readonly #nowMs: () => number;
  /** Counts that fall, each with the last time at which so many were connected. */
  #seen: { readonly count: number; readonly atMs: number }[] = [];

  constructor(set: number | undefined, nowMs: () => number = () => performance.now()) {
    this.#set = set;
    this.#nowMs = nowMs;
  }

  /** Takes note that so many are connected now. */
  note(count: number): void {
    this.#forget();
    this.#seen = [...this.#seen.filter((one) => one.count > count), { count, atMs: this.#nowMs() }];
  }

  get count(): number {
    if (this.#set !== undefined) return this.#set;
    this.#forget();
    return this.#seen[0]?.count ?? 0;
  }

  #forget(): void {
    const sinceMs = this.#nowMs() - REMEMBERED_MS;
    this.#seen = this.#seen.filter(({ atMs }) => atMs >= sinceMs);
  }
}

/** What is known of the append-only file of a connection's server. */
interface Disk {
  /** Whether it appends to a file, as far as it says so to this user. */
  readonly isAppending: boolean;
  /** `appendfsync always`: it answers a write once its file is synced. */
  readonly isEachReply: boolean;
  /** Whether its WAITAOF waits for the sync with `appendfsync everysec`, too. */
  readonly isExact: boolean;
}

interface KnownDisk {
  /** Another server may be behind the connection later. */
  readonly epoch: number;
  readonly untilMs: number;
  readonly disk: Promise<Disk>;
}

const disks = new WeakMap<Connection, KnownDisk>();
/** Connections whose server does not know WAITAOF, or not for this user, with the epoch and what it said. */
const withoutWaitaof = new WeakMap<Connection, { readonly epoch: number; readonly said: string }>();

/** The settings of a running server change: they are asked for again after so long. */
const ASK_AGAIN_MS = 10_000;
/**
 * With `appendfsync everysec` a server whose file has unsynced writes, and which is not at a sync, begins one within a
 * second and the tenth of one between two looks at its clock. The rest is for a clock that it reads late.
 */
const SYNC_BEGINS_WITHIN_MS = 1250;
const LOOK_AGAIN_MS = 50;

/** A server appends to a file, and does not say when that is synced. */
export interface UnsaidSync {
  /** Its answer to WAITAOF. */
  readonly said: string;
  /** `appendfsync always`: its answers are confirmation enough. */
  readonly isEachReply: boolean;
}

/**
 * Speaks of all that was asked on the connection before, on the same socket; nothing else is asked on it meanwhile.
 * Throws TooFewCopies when the server goes on without the promised replicas or its disk, ConnectionLost when it does not
 * answer.
 */
export async function waitUntilDurable(
  connection: Connection,
  promised: PromisedReplicas,
  onUnsaid: (unsaid: UnsaidSync) => void,
  limits = { replicasMs: REPLICAS_LIMIT_MS, diskMs: DISK_LIMIT_MS },
): Promise<Durable> {
  const [replicas, disk] = await Promise.all([
    waitForReplicas(connection, promised, limits.replicasMs),
    waitForDisk(connection, onUnsaid, limits.diskMs),
  ]);
  return { disk, replicas };
}

async function waitForReplicas(connection: Connection, promised: PromisedReplicas, limitMs: number): Promise<number> {
  const sameSocket = watchSocket(connection);
  const untilMs = performance.now() + limitMs;
  for (;;) {
    // ROLE first: WAIT holds up what comes behind it.
    const [role, caughtUp] = await askAll(connection, [['ROLE'], ['WAIT', promised.count, WAIT_MS]]);
    const connected = replicasOf(role as Reply);
    if (connected === undefined) throw new ConnectionLost('it is no master any more');
    promised.note(connected);
    const count = promised.count;
    if ((caughtUp as number) >= count) return caughtUp as number;
    if (performance.now() > untilMs)
      throw new TooFewCopies(`only ${String(caughtUp)} of its ${count} replicas have what was written`);
    sameSocket();
  }
}

/** Whether the disk has it for sure. */
async function waitForDisk(
  connection: Connection,
  onUnsaid: (unsaid: UnsaidSync) => void,
  limitMs: number,
): Promise<boolean> {
  const sameSocket = watchSocket(connection);
  const untilMs = performance.now() + limitMs;
  const notLate = (): void => {
    if (performance.now() > untilMs)
      throw new TooFewCopies(
        `its append-only file was not synced within ${limitMs / 1000} s (with appendfsync no it is not known when)`,
      );
    sameSocket();
  };
  const { isAppending, isEachReply, isExact } = await diskOf(connection);
  if (!isAppending) return false;
  for (;;) {
    const synced = await askForSync(connection);
    if (synced === 'off') return false;
    if (typeof synced === 'object') {
      onUnsaid({ said: synced.said, isEachReply });
      return isEachReply;
    }
    if (synced > 0) break;
    notLate();
  }
  if (isExact || isEachReply) return true;
  // Redis 7.2.2 to 7.4.2 and Valkey answer WAITAOF once the file is written (https://github.com/redis/redis/pull/13793).
  let idleMs: number | undefined;
  for (;;) {
    const askedMs = performance.now();
    const isAtSync = (await readServerInfo(connection, 'persistence'))?.get('aof_pending_bio_fsync') !== '0';
    // The connection may have been lost while this waited: a server that started again has nothing to sync.
    sameSocket();
    // Since it was idle it began a sync that has our write, and that one has ended.
    if (!isAtSync && idleMs !== undefined && askedMs >= idleMs + SYNC_BEGINS_WITHIN_MS) return true;
    notLate();
    if (!isAtSync) idleMs ??= performance.now();
    const nextMs = isAtSync || idleMs === undefined ? 0 : idleMs + SYNC_BEGINS_WITHIN_MS - performance.now();
    await delay(Math.max(LOOK_AGAIN_MS, nextMs), undefined, { ref: false });
  }
}

/** Gives what throws ConnectionLost once the connection has another socket, which speaks of nothing that the lost one wrote. */
function watchSocket(connection: Connection): () => void {
  const { epoch } = connection;
  return () => {
    if (connection.epoch !== epoch) throw new ConnectionLost('it ended the connection');
  };
}

/** How many files have it; `off`: it appends to none any more; `said`: what it says that does not know WAITAOF, or not for this user. */
async function askForSync(connection: Connection): Promise<number | 'off' | { readonly said: string }> {
  const { epoch } = connection;
  const known = withoutWaitaof.get(connection);
  if (known?.epoch === epoch) return known;
  try {
    // Its own file, and those of its replicas.
    const [reply] = await askAll(connection, [['WAITAOF', 1, 0, WAITAOF_MS]]);
    return (reply as readonly number[])[0] ?? 0;
  } catch (error) {
    if (!(error instanceof RedisReplyError)) throw error;
    if (error.message.includes('appendonly is disabled')) return 'off';
    if (!UNANSWERED.test(error.message)) throw error;
    const refused = { epoch, said: error.message };
    withoutWaitaof.set(connection, refused);
    return refused;
  }
}

/** What a server says that does not know the command, or not for this user. */
const UNANSWERED = /^NOPERM|^ERR .*(unknown|unsupported|not supported|not allowed)/i;

function diskOf(connection: Connection): Promise<Disk> {
  const { epoch } = connection;
  const known = disks.get(connection);
  if (known?.epoch === epoch && performance.now() < known.untilMs) return known.disk;
  const disk = lookAtDisk(connection);
  disks.set(connection, { epoch, untilMs: performance.now() + ASK_AGAIN_MS, disk });
  disk.catch(() => disks.delete(connection));
  return disk;
}

async function lookAtDisk(connection: Connection): Promise<Disk> {
  // Managed servers forbid CONFIG; most allow INFO.
  const info = await readServerInfo(connection);
  const isAppending = info?.get('aof_enabled') === '1';
  const isEachReply = isAppending && (await readSetting(connection, 'appendfsync')) === 'always';
  const isExact = !(info?.has('valkey_version') ?? false) && Number.parseInt(info?.get('redis_version') ?? '', 10) >= 8;
  return { isAppending, isEachReply, isExact };
}

/** Logs of each node, once, what an answer to a keyed push survives there. */
export function reportUnsaidOnce(label: string, logger: Logger): (node: string, unsaid: UnsaidSync) => void {
  const reported = new Set<string>();
  return (node, { said, isEachReply }) => {
    if (reported.has(node)) return;
    reported.add(node);
    const begins = `Redis (${node}) appends to a file, and does not say by WAITAOF when that is synced (${said})`;
    const fields = { store: label, node };
    if (isEachReply) {
      logger.info(fields, `${begins}: with its appendfsync always a keyed push survives a power cut all the same`);
      return;
    }
    const survives =
      'a keyed push (durable.disk is false) survives the end of the server or of Redis, but not a power cut of both within the last second';
    const fix =
      'Use Redis 7.2 or Valkey, and allow WAITAOF to this user; or set appendfsync always, and allow CONFIG GET to this user';
    logger.warn(fields, `${begins}: ${survives}. ${fix}.`);
  };
}

/** How many replicas are connected; undefined at a server that is none's master, or that refuses to say. */
export async function countReplicas(connection: Connection): Promise<number | undefined> {
  try {
    return replicasOf(await askOne(connection, 'ROLE'));
  } catch (error) {
    if (error instanceof RedisReplyError) return undefined;
    throw error;
  }
}

/** A master's role is its name, its offset, its replicas; a proxy may answer anything. */
export function replicasOf(role: Reply): number | undefined {
  const [name, , replicas] = Array.isArray(role) ? (role as readonly Reply[]) : [];
  return String(name) === 'master' && Array.isArray(replicas) ? replicas.length : undefined;
}

/** Undefined where the server refuses CONFIG. */
async function readSetting(connection: Connection, name: string): Promise<string | undefined> {
  try {
    const [, value] = (await askOne(connection, 'CONFIG', 'GET', name)) as readonly (Buffer | undefined)[];
    return value?.toString();
  } catch (error) {
    if (error instanceof RedisReplyError) return undefined;
    throw error;
  }
}

/** Sends the commands together. Throws the first error reply. */
async function askAll(
  connection: Connection,
  commands: readonly (readonly (string | number)[])[],
): Promise<readonly Reply[]> {
  const replies: Reply[] = [];
  await connection.request(
    (out) => {
      for (const words of commands) out.words(...words);
      return commands.length;
    },
    (bytes, start) => {
      const reply = readReply(bytes, start);
      if (reply instanceof RedisReplyError) throw reply;
      replies.push(reply);
    },
  );
  return replies;
}
