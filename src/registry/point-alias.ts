// An alias of a version, of models with features and of plain ones: both keep them alike.

import type { RegistryDb } from './store.ts';

/** Gives the version that it pointed at before; null where it is new. */
export async function pointAlias(
  trx: RegistryDb,
  table: 'registry_model_aliases' | 'registry_plain_aliases',
  model: string,
  alias: string,
  version: number,
): Promise<number | null> {
  const rows = trx.selectFrom(table).select('version').where('model', '=', model);
  const previous = await rows.where('alias', '=', alias).executeTakeFirst();
  await trx
    .insertInto(table)
    .values({ model, alias, version })
    .onConflict((conflict) => conflict.columns(['model', 'alias']).doUpdateSet({ version }))
    .execute();
  return previous?.version ?? null;
}
