// A process of its own that adds 1 to a counter, N times: `increment-counter.ts URL N`.

import { openDatabase } from '../../src/storage/index.ts';

const [url = '', times = '0'] = process.argv.slice(2);
const database = await openDatabase(url);
for (let i = 0; i < Number(times); i++) {
  await database.transaction<{ counters: { value: number } }, void>(
    async (trx) => {
      const { value } = await trx.selectFrom('counters').select('value').executeTakeFirstOrThrow();
      await trx
        .updateTable('counters')
        .set({ value: value + 1 })
        .execute();
    },
    { serializedBy: 'counters' },
  );
}
await database.close();
