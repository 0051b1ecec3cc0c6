// Looks at each new connection of a server that serves, before anything is read from it, as at the server's start: whose store
// the node is, and how it keeps what it is given. A Redis that was away then may be another one than was meant, and one that
// comes back may be another one than before.

import type { Logger } from '../../core/index.ts';
import { groupGuards, reportGuards } from '../guards.ts';
import { otherRegistry } from '../store-notes.ts';
import type { NodeGuard } from '../online-store.ts';
import type { RedisNode } from './cluster/topology.ts';
import { type Connection, ConnectionLost } from './resp/connection.ts';
import { RedisReplyError } from './resp/reply.ts';

export interface NodeWatchOptions {
  /** The store, as it may be shown. */
  readonly label: string;
  readonly logger: Logger;
  /** The registry that filled the node; undefined of an empty one. */
  readRegistry(node: RedisNode, connection: Connection): Promise<string | undefined>;
  readGuards(node: RedisNode, connection: Connection): Promise<readonly NodeGuard[]>;
}

/** What a node answers that will answer later. */
const NOT_YET: ReadonlySet<string> = new Set(['LOADING', 'MASTERDOWN', 'BUSY', 'TRYAGAIN', 'CLUSTERDOWN']);

export class NodeWatch {
  readonly #options: NodeWatchOptions;
  /** Whose store it has to be; until that is said nothing is looked at. */
  #expected: string | undefined;
  readonly #looks = new Set<Promise<void>>();
  /** Nodes of another registry, by name. */
  readonly #others = new Map<
    string,
    { readonly registry: string; readonly node: RedisNode; readonly connection: Connection }
  >();
  /** Nodes that could not answer yet, by name: they load what they have, or follow a master that is away. */
  readonly #unseen = new Map<
    string,
    { readonly node: RedisNode; readonly connection: Connection; readonly error: Error }
  >();
  /** What was lacking at each node when it was looked at last. */
  readonly #lacking = new Map<string, string>();

  constructor(options: NodeWatchOptions) {
    this.#options = options;
  }

  /** Resolves once these were looked at. What they lack is for whoever starts the server to report. */
  async expect(registry: string, nodes: readonly (readonly [RedisNode, Connection])[]): Promise<void> {
    this.#expected = registry;
    await Promise.all(nodes.map(([node, connection]) => this.#look(node, connection, false)));
  }

  /** Called with each new connection. */
  connected(node: RedisNode, connection: Connection): void {
    if (this.#expected !== undefined) void this.#look(node, connection, true);
  }

  /**
   * What a read waits for before it goes out; undefined: nothing. Rejects with HR_OTHER_REGISTRY, and with what a node
   * answers that cannot be looked at yet.
   */
  looking(): Promise<void> | undefined {
    if (this.#looks.size === 0 && this.#others.size === 0 && this.#unseen.size === 0) return undefined;
    return this.#clear();
  }

  async #clear(): Promise<void> {
    await Promise.all(this.#looks);
    // It may have been taken over meanwhile, or answer by now.
    const waiting = [...this.#others.values(), ...this.#unseen.values()];
    await Promise.all(waiting.map(({ node, connection }) => this.#look(node, connection, true)));
    const [unseen] = this.#unseen.values();
    if (unseen !== undefined) throw unseen.error;
    const [other] = this.#others.values();
    if (other !== undefined) throw otherRegistry(other.registry, this.#expected as string, this.#options.label);
  }

  #look(node: RedisNode, connection: Connection, reports: boolean): Promise<void> {
    const looking = this.#lookAt(node, connection, reports).finally(() => this.#looks.delete(looking));
    this.#looks.add(looking);
    return looking;
  }

  async #lookAt(node: RedisNode, connection: Connection, reports: boolean): Promise<void> {
    try {
      const [registry, guards] = await Promise.all([
        this.#options.readRegistry(node, connection),
        this.#options.readGuards(node, connection),
      ]);
      this.#unseen.delete(node.name);
      this.#judgeRegistry(node, connection, registry);
      if (connection.isReady) this.#judgeGuards(node, guards, reports);
    } catch (error) {
      // Nothing is read at this connection any more, or by this user; the next one is looked at.
      if (!(error instanceof ConnectionLost || error instanceof RedisReplyError)) throw error;
      this.#others.delete(node.name);
      if (error instanceof RedisReplyError && NOT_YET.has(error.code))
        this.#unseen.set(node.name, { node, connection, error });
      else this.#unseen.delete(node.name);
    }
  }

  #judgeRegistry(node: RedisNode, connection: Connection, registry: string | undefined): void {
    const { logger, label } = this.#options;
    const expected = this.#expected as string;
    const before = this.#others.get(node.name)?.registry;
    if (registry === undefined || registry === expected) {
      this.#others.delete(node.name);
      if (before !== undefined)
        logger.info({ node: node.name, registry: expected }, `${label} is of this registry now`);
      return;
    }
    this.#others.set(node.name, { registry, node, connection });
    if (registry === before) return;
    const { message } = otherRegistry(registry, expected, label);
    logger.error({ node: node.name, place: `${node.host}:${node.port}` }, `${message} Until then reads are refused.`);
  }

  #judgeGuards(node: RedisNode, guards: readonly NodeGuard[], reports: boolean): void {
    const lacking = groupGuards(guards.filter(({ state }) => state !== 'kept'))
      .map(({ says }) => says)
      .join();
    if (reports && lacking !== this.#lacking.get(node.name)) reportGuards(guards, this.#options.logger);
    this.#lacking.set(node.name, lacking);
  }
}
