// A free port that is chosen before those are there who will listen on it: workers that start again, even all of them at once, listen
// where the first ones did.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { cannotListen } from './cannot-listen.ts';

export interface HeldPort {
  readonly port: number;
  /** Resolves when others can listen on it. A second call gives the same promise. */
  release(): Promise<void>;
}

/** Keeps it from others until it is released. Throws HR_CONFIG where `host` is no address of this machine. */
export async function holdFreePort(host: string): Promise<HeldPort> {
  const server = createServer((nobody) => nobody.destroy());
  try {
    await once(server.listen({ host, port: 0 }), 'listening');
  } catch (thrown) {
    throw cannotListen(host, 0, thrown);
  }
  let released: Promise<void> | undefined;
  return {
    // It listens on an address and no path.
    port: (server.address() as AddressInfo).port,
    release: () => (released ??= new Promise((resolve) => server.close(() => resolve()))),
  };
}
