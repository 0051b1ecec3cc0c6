// What rows must carry by the catalogue, also of versions that were trained on other definitions than those applied.

import { describe, expect, it } from 'vitest';
import type { Field } from '../../src/core/index.ts';
import { type Definitions, type Manifest, resolveService } from '../../src/definitions/index.ts';
import { type Catalogue, type CatalogueSource, catalogueOf } from '../../src/serving/catalogue.ts';
import { rowSchema, valuesSchema } from '../../src/serving/http/openapi/row-schema.ts';
import { flightsManifest } from '../support/manifests.ts';

function catalogue(manifest: Manifest, endpoints: CatalogueSource['endpoints'] = new Map()): Catalogue {
  const definitions: Definitions = { manifest, hash: '', functions: new Map(), bundles: new Map(), directory: '' };
  return catalogueOf({ revision: 3, definitions, versions: [], complete: new Set(), endpoints, services: new Map() });
}

/** The request columns of the on-demand view, made anew. */
function withRequest(columns: readonly (Field & { readonly isOptional?: true })[]): Manifest {
  const { departure } = flightsManifest.onDemandViews;
  if (departure === undefined) throw new Error('flightsManifest has the view');
  const inputs = [{ kind: 'request' as const, name: 'request', columns }];
  return { ...flightsManifest, onDemandViews: { departure: { ...departure, inputs } } };
}

describe('a request row', () => {
  it('needs every column but those with a default and optional ones, and then takes no other members', () => {
    const request = withRequest([
      { name: 'carrier', type: { kind: 'string' } },
      { name: 'distance', type: { kind: 'float64' }, default: 500 },
      { name: 'seat', type: { kind: 'int32' }, isOptional: true },
    ]);
    const [service] = catalogue(request).services;
    const description = 'Input of departure';
    const distance = [{ $ref: '#/components/schemas/Float64' }, { type: 'null' }];
    const int32 = { type: ['integer', 'null'], format: 'int32', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    expect(rowSchema(service?.request ?? [])).toEqual({
      type: 'object',
      additionalProperties: false,
      required: ['origin', 'carrier'],
      properties: {
        origin: { type: 'string', description: 'Key of airport' },
        carrier: { type: 'string', description },
        distance: { anyOf: distance, description, default: 500 },
        seat: { ...int32, description },
      },
    });
  });

  it('takes other members where none of its columns may be absent', () => {
    const [service] = catalogue(flightsManifest).services;
    const schema = { additionalProperties: true, required: ['origin', 'scheduled_at'] };
    expect(rowSchema(service?.request ?? [])).toMatchObject(schema);
  });
});

it('an endpoint takes and gives what its versions do, whatever is applied', () => {
  const trainedOn = resolveService(withRequest([{ name: 'gate', type: { kind: 'string' } }]), 'delay_features');
  const variant = (kind: 'float32' | 'int64', more: Field[] = []) => ({
    features: { service: trainedOn },
    graph: { model: { spec: { outputs: [{ name: 'probability', type: { kind } }, ...more] } } },
  });
  const plan = {
    requestColumns: trainedOn.requestColumns,
    arms: [variant('float32'), variant('int64', [{ name: 'reason', type: { kind: 'string' } }])],
  };
  // The catalogue looks at no more of a plan than that.
  const plans = new Map([['delay', { plan }]]) as unknown as CatalogueSource['endpoints'];
  const [endpoint] = catalogue(flightsManifest, plans).endpoints;
  expect(endpoint?.request.map(({ name }) => name)).toEqual(['origin', 'gate']);
  const either = ['Float32', 'AnsweredInt64'].map((name) => ({ $ref: `#/components/schemas/${name}` }));
  expect(valuesSchema(endpoint?.outputs ?? [])).toMatchObject({
    required: ['probability'],
    properties: {
      probability: { anyOf: [{ anyOf: either }, { type: 'null' }] },
      reason: { type: ['string', 'null'] },
    },
  });
  expect(catalogue(flightsManifest).endpoints[0]?.request.map(({ name }) => name)).toEqual(['origin', 'scheduled_at']);
});
