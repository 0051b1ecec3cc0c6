// Descriptions of the rows that parts hold, in the registry before any is written: a reader needs them.

import type { RowSchemas } from '../online/index.ts';
import type { SourcePlans } from './source-plan.ts';

export async function publishSchemas(schemas: Pick<RowSchemas, 'publish'>, plans: SourcePlans): Promise<void> {
  await schemas.publish(plans.live().flatMap(({ codec }) => [codec.rowCodec.schema, codec.eventCodec.schema]));
}
