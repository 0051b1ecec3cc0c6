// Conditions as users write them: GrowthBook's, on the columns that a request carries.

import type { Json } from '../../core/index.ts';

/** Such as `{ country: { $in: ['DE', 'AT'] }, distance: { $gte: 500 } }`; all its members must hold. */
export type RequestCondition<Q extends string> = { readonly [Column in Q]?: Json } & {
  readonly $and?: readonly RequestCondition<Q>[];
  readonly $or?: readonly RequestCondition<Q>[];
  readonly $nor?: readonly RequestCondition<Q>[];
  readonly $not?: RequestCondition<Q>;
};
