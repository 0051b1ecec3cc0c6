// A schema of what may be null, for the routes' bodies.

import Type, { type TSchema, type TSchemaOptions } from 'typebox';

export const orNull = <T extends TSchema>(schema: T, options?: TSchemaOptions) =>
  Type.Union([schema, Type.Null()], options);
