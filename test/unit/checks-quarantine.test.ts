// How much the quarantine takes: up to its bound, to the byte.

import { expect, it } from 'vitest';
import { type HeldRow, openQuarantine } from '../../src/checks/quarantine/quarantine.ts';
import { openDatabase } from '../../src/storage/index.ts';

// 'ü' is two bytes.
const rowOf = (id: string): HeldRow => ({ id, source: 's', row: `{"id":"${id}ü"}`, reasons: [], arrivedMicros: 5 });
const ROW_BYTES = Buffer.byteLength('{"id":"aü"}') + Buffer.byteLength('[]');

it('holds rows up to its last byte, counted in UTF-8, and refuses all of a push that is past it', async () => {
  const database = await openDatabase('sqlite::memory:');
  try {
    const quarantine = await openQuarantine(database, { maxBytes: 3 * ROW_BYTES });
    expect(await quarantine.hold([rowOf('a'), rowOf('b'), rowOf('c')])).toEqual(['a', 'b', 'c']);
    // A row that is known takes no more room.
    expect(await quarantine.hold([rowOf('a')])).toEqual([]);
    await expect(quarantine.hold([rowOf('d')])).rejects.toMatchObject({ code: 'HR_QUARANTINE_FULL' });
    await quarantine.withdraw(['c']);
    await expect(quarantine.hold([rowOf('d'), rowOf('e')])).rejects.toMatchObject({ code: 'HR_QUARANTINE_FULL' });
    expect(await quarantine.hold([rowOf('d')])).toEqual(['d']);
  } finally {
    await database.close();
  }
});
