// A set of lasting connections, one to each node under one name: it follows the topology, so that a node's name leads
// to whichever server has its slots now.

import type { RedisAddress } from '../redis-url.ts';
import { type Connection, ConnectionLost, openConnection } from '../resp/connection.ts';
import type { RedisNode, Topology } from './topology.ts';

export interface NodeLinksOptions {
  readonly topology: Topology;
  readonly address: RedisAddress;
  /** Of the connections, as CLIENT LIST shows it. */
  readonly name: string;
  /** On each new connection: the first, after it was lost, and to another server that took the node over. */
  onReady?(node: RedisNode, connection: Connection): void;
  /** The node has other slots than before; with the connection that it had. */
  onSlots?(node: RedisNode): void;
  /** When one was lost, and after each try in vain; also when the cluster does not say who its nodes are. */
  onLost?(node: RedisNode | undefined, reason: Error): void;
}

export interface NodeLinks {
  readonly topology: Topology;
  /** Throws ConnectionLost when the node or the slot's owner is not known. */
  toNode(name: string): Connection;
  toSlot(slot: number): Connection;
  /** A server that another one names: one of the nodes, or one that has no slots yet. */
  toPlace(host: string, port: number): Connection;
  /** Resolves when each node was tried once, well or not. */
  tried(): Promise<void>;
  close(): void;
}

interface Link {
  readonly node: RedisNode;
  readonly connection: Connection;
}

export function openNodeLinks(options: NodeLinksOptions): NodeLinks {
  const { topology, address, name } = options;
  const links = new Map<string, Link>();
  const strangers = new Map<string, Connection>();
  const forget = topology.onChange(follow);
  follow();

  return {
    topology,
    toNode(nodeName) {
      const link = links.get(nodeName);
      if (link === undefined) throw topology.failure ?? new ConnectionLost(`it has no node "${nodeName}" now`);
      return link.connection;
    },
    toSlot(slot) {
      const node = topology.nodeOfSlot(slot);
      const link = node === undefined ? undefined : links.get(node.name);
      if (link === undefined) throw topology.failure ?? new ConnectionLost(`no node of it has slot ${slot}`);
      return link.connection;
    },
    toPlace(host, port) {
      for (const { node, connection } of links.values()) {
        if (node.host === host && node.port === port) return connection;
      }
      const place = `${host}:${port}`;
      let connection = strangers.get(place);
      if (connection === undefined) {
        connection = openConnection({ host, port, login: address.login, name });
        strangers.set(place, connection);
      }
      return connection;
    },
    async tried() {
      if (topology.isCluster && topology.nodes.length === 0) await topology.refresh();
      await Promise.all([...links.values()].map(({ connection }) => connection.tried));
    },
    close() {
      forget();
      for (const { connection } of links.values()) connection.close();
      links.clear();
      closeStrangers();
    },
  };

  function closeStrangers(): void {
    for (const connection of strangers.values()) connection.close();
    strangers.clear();
  }

  function follow(): void {
    // Whoever was given slots is a node now.
    closeStrangers();
    const present = new Map(topology.nodes.map((node) => [node.name, node]));
    for (const [nodeName, { node, connection }] of links) {
      const now = present.get(nodeName);
      if (now !== undefined && now.host === node.host && now.port === node.port) {
        if (now.slots === node.slots) continue;
        links.set(nodeName, { node: now, connection });
        options.onSlots?.(now);
        continue;
      }
      connection.close();
      links.delete(nodeName);
    }
    for (const node of present.values()) {
      if (!links.has(node.name)) links.set(node.name, { node, connection: connect(node) });
    }
  }

  function connect(node: RedisNode): Connection {
    const connection = openConnection({
      host: node.host,
      port: node.port,
      login: address.login,
      name,
      onReady: () => options.onReady?.(node, connection),
      onLost(reason) {
        options.onLost?.(node, reason);
        void topology.refresh();
      },
    });
    return connection;
  }
}
