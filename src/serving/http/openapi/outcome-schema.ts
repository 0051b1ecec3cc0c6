// The body of outcomes in the document: each is of a prediction by its id, or of what was predicted for a unit last before a
// time, and the two have other members.

import { OutcomesBody } from '../schemas.ts';
import { specialise } from './specialise.ts';
import type { JsonSchema } from './value-schema.ts';

const TIME: JsonSchema = { $ref: '#/components/schemas/Timestamp' };
/** As many digits as any duration of use has. */
const DURATION = '^(?:[0-9]{1,9}(?:us|ms|s|m|h|d|w)){1,3}$';

/** `unit`: the endpoint's columns. */
export function outcomesBodySchema(unit: readonly string[]): JsonSchema {
  return specialise(OutcomesBody, {
    outcomes: (member) => {
      const item = member['items'] as JsonSchema;
      const members = item['properties'] as Readonly<Record<string, JsonSchema>>;
      const { prediction_id = {}, value = {}, observed_at, at, from, within } = members;
      const byId = outcome(['prediction_id', 'value'], {
        prediction_id,
        value,
        observed_at: { ...observed_at, ...TIME },
      });
      const shared = { unit: unitSchema(members['unit'] ?? {}, unit.length), at: { ...at, ...TIME }, value };
      const needed = ['unit', 'at', 'value'];
      const byUnit = [
        outcome(needed, { ...shared, within: { ...within, pattern: DURATION } }),
        outcome([...needed, 'from'], { ...shared, from: { ...from, ...TIME } }),
      ];
      return { ...member, items: unit.length === 0 ? byId : { oneOf: [byId, ...byUnit] } };
    },
  });
}

const outcome = (required: readonly string[], properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
});

function unitSchema({ anyOf, description }: JsonSchema, columns: number): JsonSchema {
  // Of a text, a number, true and false, and of a list of them.
  const [list, ...values] = (anyOf as readonly JsonSchema[]).toReversed();
  const listed = { ...list, minItems: columns, maxItems: columns };
  return { description, anyOf: columns === 1 ? [...values.toReversed(), listed] : [listed] };
}
