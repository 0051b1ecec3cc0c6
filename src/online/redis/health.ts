// Tells the log when a node of Redis goes and when it is back: once each, however often it is tried.

import type { Logger } from '../../core/index.ts';
import type { RedisNode } from './cluster/topology.ts';

export interface Health {
  isUp(node: RedisNode): void;
  /** Undefined: no node of the cluster answers. */
  isDown(node: RedisNode | undefined, reason: Error): void;
}

export function watchHealth(label: string, logger: Logger): Health {
  const down = new Set<string>();
  return {
    isUp({ name, host, port }) {
      // Both are looked at: whichever was missed before is there now.
      const wasDown = down.delete(name);
      const wasUnknown = down.delete('');
      if (wasDown || wasUnknown) logger.info({ store: label, node: `${host}:${port}` }, `Redis (${name}) is back`);
    },
    isDown(node, reason) {
      const name = node?.name ?? '';
      if (down.has(name)) return;
      down.add(name);
      const place = node === undefined ? label : `${node.host}:${node.port}`;
      logger.warn(
        { store: label, node: place, reason: reason.message },
        `Redis (${node?.name ?? 'cluster'}) does not answer; it is tried again by itself`,
      );
    },
  };
}
