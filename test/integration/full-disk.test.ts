// A real small disk that fills up under the push log of a process that takes pushes. The log itself, and the embedded
// store: full-disks.test.ts.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatTimestamp } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { onlineStoreKinds, type OnlineStoreKind } from '../support/online-stores.ts';
import { skipBecause } from '../support/skips.ts';
import { mountSmallDisk } from '../support/small-disk.ts';

const disk = mountSmallDisk(8);
if (disk === undefined) skipBecause('a full disk: this user may not mount a small one');

describe.skipIf(disk === undefined)('on a full disk', () => {
  const path = disk?.path ?? '';
  afterAll(() => disk?.remove());

  it('a push is refused whole, its key is free, and it goes through once there is space', async () => {
    const definitions = eventDefinitions();
    const world = await openIngestionWorld(onlineStoreKinds()[0] as OnlineStoreKind);
    try {
      const log = join(path, 'pushes');
      mkdirSync(log);
      const server = await world.open({ definitions: () => definitions, log: { path: log } });
      const push = (s: string, key: string) =>
        server.ingestion.push('events', [{ k: 'a', happened: formatTimestamp(NOW), s }], key);
      await push('x', 'one');
      writeFileSync(join(path, 'hog'), Buffer.alloc(2 * 1024 ** 2));
      const large = 'x'.repeat(6 * 1024 ** 2);
      await expect(push(large, 'two')).rejects.toMatchObject({ code: 'HR_STORAGE_FULL' });
      expect(await world.valuesOf(definitions.manifest, 'a')).toMatchObject({ rows: 1n });
      expect(server.ingestion.status().writer?.pending).toBe(0);
      writeFileSync(join(path, 'hog'), '');
      expect(await push('y', 'two')).toMatchObject({ duplicate: false });
      await server.close();
      expect(await world.valuesOf(definitions.manifest, 'a')).toMatchObject({ rows: 2n });
    } finally {
      await world.close();
    }
  });
});
