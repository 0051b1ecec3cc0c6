// A run's way into Redis: one connection a node under the run's name, bases streamed blind and only counted back. A
// connection gets its name, then sees that the run's row is open, then writes; a later run cuts it by that name.

import { HeadraceError } from '../../core/index.ts';
import type { BaseWrite, RunLink, StoreRun } from '../online-store.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import type { RedisNode } from './cluster/topology.ts';
import { writeBase, type BaseForm } from './encode-base.ts';
import { fence, runName, runPrefix } from './fence.ts';
import { noteRun } from './kept-notes.ts';
import { removeVersion } from './remove-version.ts';
import { beginMark, type MarkStart, readMark, writeMark } from './marks.ts';
import { mortalEntities, noteMortal } from './mortal-entities.ts';
import { toRedisError } from './redis-errors.ts';
import { type Connection, ConnectionLost, openConnection } from './resp/connection.ts';
import { isErrorReply, readReply, type RedisReplyError } from './resp/reply.ts';
import { nodeOf, type RedisPlace } from './store-writer.ts';

/** So much may be on its way to a node: memory stays bounded when the node is slower than the run. */
const MOST_IN_FLIGHT_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 128 * 1024;
/** A run's commands come in bulk: the last of them may wait for megabytes. */
const TIMEOUT_MS = 10_000;

const EVERY_ENTITY: BaseForm['mortal'] = { has: () => true };

/** A node as far as this run is there. */
interface Begun {
  readonly node: RedisNode;
  readonly connection: Connection;
  readonly form: BaseForm;
  readonly markStart: MarkStart;
  /** Entities that were looked at: those that may end are noted at the node. */
  readonly noted: Set<string>;
  /** Settled when all that was written is acknowledged. */
  last: Promise<void>;
  /** The first thing that went wrong: the node must be begun again. */
  failure: Error | undefined;
}

export async function openStoreRun(place: RedisPlace, readers: NodeLinks, link: RunLink): Promise<StoreRun> {
  const { project, address, topology, keys } = place;
  const fenced = { database: address.login.database, prefix: runPrefix(project, link.version), number: link.run };
  const begun = new Map<string, Begun>();
  let isFenced = false;

  await readers.tried();
  if (topology.nodes.length === 0) throw toRedisError(topology.failure, address.label);
  await guarded(() => Promise.all(topology.nodes.map((node) => fence(readers.toNode(node.name), fenced))));

  return {
    nodes: topology.nodes.map(({ name }) => name),
    nodeOf: (entity, key) => nodeOf(place, entity, key),
    async begin(name) {
      begun.get(name)?.connection.close();
      begun.delete(name);
      if (isFenced) throw busy();
      const node = await findNode(name);
      const connection = openConnection({
        host: node.host,
        port: node.port,
        login: address.login,
        name: runName(project, link.version, link.run),
        timeoutMs: TIMEOUT_MS,
        isLasting: false,
      });
      try {
        await connection.tried;
        // Another server may have taken the node over since the run began.
        await fence(connection, fenced);
        await checkOpen();
        await noteRun({ connection, node, project, label: address.label }, link.run, link.registry);
        const known = await mortalEntities(connection, node, project);
        const mortal = (await isAsMarked(connection, node)) ? known : EVERY_ENTITY;
        const form = { keys, version: link.version, lifetimeMs: link.lifetimeMs, mortal };
        const noted = new Set(known);
        const place = { connection, node, project, version: link.version };
        const markStart = await beginMark(place, link.run, link.lifetimeMs(link.entity));
        begun.set(name, { node, connection, form, markStart, noted, last: Promise.resolve(), failure: undefined });
      } catch (error) {
        connection.close();
        throw toRedisError(error, address.label);
      }
    },
    async write(name, writes) {
      const at = begunAt(name);
      if (at.failure !== undefined) throw await whyLost(at);
      await noteLifetimes(at, writes);
      for (let from = 0; from < writes.length; ) {
        from = writeChunk(at, writes, from);
        await at.connection.drainTo(MOST_IN_FLIGHT_BYTES);
        if (at.failure !== undefined) throw await whyLost(at);
      }
    },
    async mark(name) {
      const at = begunAt(name);
      try {
        await at.last;
        if (at.failure !== undefined) throw at.failure;
        const { connection, node } = at;
        await writeMark({ connection, node, project, version: link.version }, at.markStart);
      } catch (error) {
        at.failure ??= error as Error;
        throw await whyLost(at);
      }
    },
    async remove(name) {
      const at = begunAt(name);
      const { connection, node } = at;
      const { version, entity } = link;
      try {
        return await removeVersion({ connection, node, project, version, keys, entity, checkOpen });
      } catch (error) {
        at.failure ??= error as Error;
        throw await whyLost(at);
      }
    },
    async close() {
      for (const { connection } of begun.values()) connection.close();
      begun.clear();
    },
  };

  function writeChunk(at: Begun, writes: readonly BaseWrite[], start: number): number {
    let next = start;
    at.last = at.connection.request(
      (out) => {
        const full = out.length + CHUNK_BYTES;
        let count = 0;
        while (next < writes.length && out.length < full) count += writeBase(out, writes[next++] as BaseWrite, at.form);
        return count;
      },
      (bytes, start) => {
        if (isErrorReply(bytes, start)) at.failure ??= readReply(bytes, start) as RedisReplyError;
      },
    );
    at.last.catch((error: Error) => {
      at.failure ??= error;
    });
    return next;
  }

  async function noteLifetimes(at: Begun, writes: readonly BaseWrite[]): Promise<void> {
    for (const { entity } of writes) {
      if (at.noted.has(entity)) continue;
      at.noted.add(entity);
      if (link.lifetimeMs(entity) === undefined) continue;
      try {
        await noteMortal(at.connection, at.node, project, entity);
      } catch (error) {
        at.failure ??= error as Error;
        throw await whyLost(at);
      }
    }
  }

  function begunAt(name: string): Begun {
    if (isFenced) throw busy();
    const at = begun.get(name);
    if (at === undefined) {
      throw new HeadraceError('HR_ONLINE_UNAVAILABLE', `node "${name}" of Redis at ${address.label} was not begun`);
    }
    return at;
  }

  /** Whether all the node's records were there at the last run: of those that came with slots its notes say nothing. */
  async function isAsMarked(connection: Connection, node: RedisNode): Promise<boolean> {
    if (!topology.isCluster) return true;
    return (await readMark({ connection, node, project, version: link.version })).run !== undefined;
  }

  async function findNode(name: string): Promise<RedisNode> {
    const find = () => topology.nodes.find((node) => node.name === name);
    await topology.refresh();
    const node = find();
    if (node === undefined) throw toRedisError(new ConnectionLost(`it has no node "${name}" now`), address.label);
    return node;
  }

  async function checkOpen(): Promise<void> {
    if (await link.isOpen()) return;
    isFenced = true;
    throw busy();
  }

  /** A lost connection may have been cut by a later run: then this one is over. */
  async function whyLost(at: Begun): Promise<unknown> {
    at.connection.close();
    try {
      await checkOpen();
    } catch (error) {
      return error;
    }
    return toRedisError(at.failure, address.label);
  }

  async function guarded(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw toRedisError(error, address.label);
    }
  }

  function busy(): HeadraceError {
    return new HeadraceError(
      'HR_MATERIALIZE_BUSY',
      `run ${link.run} of ${link.version} was ended by a later run of it; wait for that one`,
    );
  }
}
