// A condition on what a request says: GrowthBook's, which is MongoDB's query form over attributes.

import type { Json } from '../json.ts';

/** Such as `{"country":{"$in":["DE","AT"]},"age":{"$gte":18}}`; all its members must hold. */
export type Condition = { readonly [attributeOrOperator: string]: Json };
