// Whether a node keeps what it was given, judged by its INFO alone, for managed servers forbid CONFIG: that it evicts no keys,
// and that a claim of an Idempotency-Key is in a second place, on its disk or at a replica.

import type { NodeGuard } from '../online-store.ts';
import type { RedisNode } from './cluster/topology.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { RedisReplyError } from './resp/reply.ts';
import { askServerInfo, type ServerInfo } from './server-info.ts';

type Judgement = Pick<NodeGuard, 'guard' | 'state' | 'says' | 'fix'>;

/** `promised`: how many replicas must have a claim before it counts. */
export async function readGuards(
  connection: Connection,
  node: RedisNode,
  promised: number,
): Promise<readonly NodeGuard[]> {
  const place = `${node.host}:${node.port}`;
  return (await judge(connection, promised)).map((one) => ({ node: node.name, place, ...one }));
}

async function judge(connection: Connection, promised: number): Promise<readonly Judgement[]> {
  try {
    const info = await askServerInfo(connection);
    if (!(info instanceof RedisReplyError)) return judgeInfo(info, promised);
    const says = `not checked: it refuses INFO (${info.message})`;
    const fix =
      'allow INFO to this user (ACL SETUSER … +info), or look at maxmemory-policy and appendonly there yourself';
    return BOTH.map((guard) => ({ guard, state: 'unknown', says, fix }));
  } catch (error) {
    if (!(error instanceof ConnectionLost)) throw error;
    return BOTH.map((guard) => ({ guard, state: 'unknown', says: `not checked: it did not answer: ${error.message}` }));
  }
}

const BOTH = ['eviction', 'durability'] as const;

/** `info`: of a server whose INFO may lack fields, as that of servers that only speak Redis' protocol does. */
export function judgeInfo(info: ServerInfo, promised: number): readonly Judgement[] {
  return [judgeEviction(info.get('maxmemory_policy')), judgeDurability(info, promised)];
}

function judgeEviction(policy: string | undefined): Judgement {
  const guard = 'eviction';
  if (policy === undefined) return { guard, state: 'unknown', says: lacksField('maxmemory_policy') };
  if (policy === 'noeviction') return { guard, state: 'kept', says: 'maxmemory_policy is noeviction' };
  return {
    guard,
    state: 'lacking',
    says: `maxmemory_policy is "${policy}", expected "noeviction": a key that is evicted is a feature that is missing, or an Idempotency-Key that is forgotten`,
    fix: 'set maxmemory-policy noeviction at the server (of a managed one, in its parameters), and give it memory enough',
  };
}

function judgeDurability(info: ServerInfo, promised: number): Judgement {
  const guard = 'durability';
  if (info.get('role') === 'slave')
    return { guard, state: 'unknown', says: 'not checked: it is a replica, which takes no pushes' };
  const [appends, replicas] = [info.get('aof_enabled'), info.get('connected_slaves')];
  if (appends === '1') return { guard, state: 'kept', says: 'it appends to a file (aof_enabled is 1)' };
  if (Number(replicas) > 0) return { guard, state: 'kept', says: `it has ${countOf(Number(replicas))}` };
  // Claims that fewer replicas have are refused.
  if (promised > 0)
    return {
      guard,
      state: 'kept',
      says: `${countOf(promised)} ${promised === 1 ? 'is' : 'are'} promised, and 0 are connected`,
    };
  if (appends === undefined || replicas === undefined)
    return { guard, state: 'unknown', says: lacksField(appends === undefined ? 'aof_enabled' : 'connected_slaves') };
  return {
    guard,
    state: 'lacking',
    says: 'aof_enabled is 0 and connected_slaves is 0, expected an append-only file or a replica: a push with an Idempotency-Key that was acknowledged does not survive a power cut of the server that took it and of this one',
    fix: 'set appendonly yes at the server, or give it a replica and set online.replicas (headrace’s guide on pushes has a table of what each survives)',
  };
}

const lacksField = (name: string): string => `not checked: its INFO has no field ${name}`;
const countOf = (replicas: number): string => `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
