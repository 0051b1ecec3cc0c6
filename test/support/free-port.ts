// A loopback port for a server of the tests' own.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

// The system may give one again as soon as it is let go, before whoever asked for it has begun to listen.
const given = new Set<number>();

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}
