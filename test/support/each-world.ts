// A world of each test's own.

import { afterEach, beforeEach } from 'vitest';

/** Opens one before each test and closes it after; what is given stands for that of the test that runs. */
export function eachWorld<W extends { close(): Promise<void> }>(open: () => Promise<W>): W {
  let world: W;
  beforeEach(async () => {
    world = await open();
  });
  afterEach(() => world.close());
  return new Proxy({} as W, { get: (_, name) => Reflect.get(world, name) as unknown });
}
