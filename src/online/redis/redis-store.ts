// The shared online store: one Redis hash per entity key with a field per base and part, on one server or a cluster.
// Readers, writers and runs share what is known of the nodes and have connections of their own.

import { type Logger, silentLogger } from '../../core/index.ts';
import type { OnlineStore } from '../online-store.ts';
import { openNodeLinks } from './cluster/node-links.ts';
import { openTopology, type RedisNode } from './cluster/topology.ts';
import { countReplicas, PromisedReplicas, reportUnsaidOnce } from './durable-writes.ts';
import { fence, writerPrefix } from './fence.ts';
import { watchHealth } from './health.ts';
import { readGuards } from './guards.ts';
import { joinNotes } from '../store-notes.ts';
import { adoptNode, type NotePlace, readNotes } from './kept-notes.ts';
import { readMark } from './marks.ts';
import { NodeWatch } from './node-watch.ts';
import { readServerTime } from './server-info.ts';
import { createRecordKeys, escapeName } from './record-keys.ts';
import { toRedisError } from './redis-errors.ts';
import { parseRedisUrl } from './redis-url.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { scanRecords } from './scan-records.ts';
import { openStoreRun } from './store-run.ts';
import { openStoreWriter, type RedisPlace } from './store-writer.ts';
import { createTurnReader } from './turn-reader.ts';

export interface RedisStoreOptions {
  readonly project: string;
  /** Hears when the store goes and when it is back, once each. */
  readonly logger?: Logger;
  /** How many replicas must have a claim; left out, the most that each node had connected within the last 10 minutes. */
  readonly replicas?: number | undefined;
}

/** How often it is looked how many replicas the nodes have. */
const COUNT_REPLICAS_EVERY_MS = 10_000;

/**
 * Waits a moment for the connections. A server that is down is no error: calls give HR_ONLINE_UNAVAILABLE until it
 * answers. Throws HR_CONFIG for a URL of another form.
 */
export async function openRedisStore(
  url: string,
  { project, logger = silentLogger, replicas }: RedisStoreOptions,
): Promise<OnlineStore> {
  const address = parseRedisUrl(url);
  const topology = openTopology(address);
  /** By node, whichever server it is now: after a failover as many replicas are promised as before. */
  const promises = new Map<string, PromisedReplicas>();
  const promised = (node: string): PromisedReplicas => {
    const known = promises.get(node) ?? new PromisedReplicas(replicas);
    promises.set(node, known);
    return known;
  };
  const countAt = async (node: string, find: () => Connection): Promise<void> => {
    try {
      const count = await countReplicas(find());
      if (count !== undefined) promised(node).note(count);
    } catch (error) {
      // `health` logs a node that does not answer.
      if (!(error instanceof ConnectionLost)) throw error;
    }
  };
  const keys = createRecordKeys(project);
  const onUnsaid = reportUnsaidOnce(address.label, logger);
  const place: RedisPlace = { project, address, topology, keys, promised, onUnsaid };
  const health = watchHealth(address.label, logger);
  const watch = new NodeWatch({
    label: address.label,
    logger,
    readRegistry: async (node, connection) => (await readNotes(noteAt(node, connection))).registry,
    readGuards: (node, connection) => readGuards(connection, node, promised(node.name).count),
  });
  const readers = openNodeLinks({
    topology,
    address,
    name: `hr:read:${escapeName(project)}`,
    onReady: (node, connection) => {
      watch.connected(node, connection);
      health.isUp(node);
      void countAt(node.name, () => connection);
    },
    onLost: (node, reason) => health.isDown(node, reason),
  });
  const counting = setInterval(() => {
    for (const { name } of topology.nodes) void countAt(name, () => readers.toNode(name));
  }, COUNT_REPLICAS_EVERY_MS).unref();
  await readers.tried();
  if (topology.nodes.length === 0) health.isDown(undefined, topology.failure ?? new ConnectionLost('no node is known'));

  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw toRedisError(error, address.label);
    }
  };
  /** Asks every node, or `only` that, side by side. */
  const atEachNode = <T>(ask: (node: RedisNode) => Promise<T>, only?: string): Promise<T[]> =>
    guarded(async () => {
      await readers.tried();
      if (topology.nodes.length === 0) throw topology.failure ?? new ConnectionLost('none of its nodes is known');
      return Promise.all(topology.nodes.filter(({ name }) => only === undefined || name === only).map(ask));
    });

  /** Asks every node; gives the answers of those that can be reached. Throws where none can. */
  const atNodesThatAnswer = <T>(ask: (node: RedisNode) => Promise<T>): Promise<[T, ...T[]]> =>
    guarded(async () => {
      const asked = await atEachNode((node) => Promise.allSettled([ask(node)]));
      const answers = asked.flat();
      const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      const [first, ...others] = given;
      if (first === undefined) throw answers.find((answer) => answer.status === 'rejected')?.reason;
      return [first, ...others];
    });

  const noteAt = (node: RedisNode, connection = readers.toNode(node.name)): NotePlace => ({
    connection,
    node,
    project,
    label: address.label,
  });

  const reader = createTurnReader({
    links: readers,
    keys: place.keys,
    failureOf: (failure) => toRedisError(failure, address.label),
    waitsFor: () => watch.looking(),
  });

  return {
    read: reader.read,
    readRows: reader.readRows,
    async *scan(entity, version) {
      try {
        yield* scanRecords(readers, place.keys, entity, version);
      } catch (error) {
        throw toRedisError(error, address.label);
      }
    },
    marks: (version, only) =>
      atEachNode((node) => readMark({ connection: readers.toNode(node.name), node, project, version }), only),
    async notes() {
      return joinNotes(await atNodesThatAnswer((node) => readNotes(noteAt(node))));
    },
    async guards() {
      return (
        await atEachNode((node) => readGuards(readers.toNode(node.name), node, promised(node.name).count))
      ).flat();
    },
    expectRegistry: (registry) =>
      watch.expect(
        registry,
        topology.nodes.map((node) => [node, readers.toNode(node.name)] as const).filter(([, { isReady }]) => isReady),
      ),
    async adopt(registry) {
      await atEachNode((node) => adoptNode(noteAt(node), registry));
    },
    writer: (link) => openStoreWriter(place, link),
    async fenceWriter(writer, holder) {
      const fenced = { database: address.login.database, prefix: writerPrefix(project, writer), number: holder };
      await atEachNode(({ name }) => fence(readers.toNode(name), fenced));
    },
    run: (link) => openStoreRun(place, readers, link),
    async nowMicros() {
      const times = await atNodesThatAnswer(({ name }) => readServerTime(readers.toNode(name)));
      // Of several that differ the one in the middle: one that is wrong does not matter.
      return times.toSorted((a, b) => a - b)[(times.length - 1) >> 1] as number;
    },
    // Redis forgets by itself: a hash carries its expiry.
    removeExpired: async () => 0,
    async close() {
      clearInterval(counting);
      readers.close();
      topology.close();
    },
  };
}
