// Manifests of random entities, sources, views, services, models and endpoints, each valid: for what is made of any of them.

import fc from 'fast-check';
import { type DataType, type Field, MICROS_PER_DAY } from '../../src/core/index.ts';
import type { FeatureSpec, Manifest, OnDemandViewSpec, SourceSpec, ViewSpec } from '../../src/definitions/index.ts';
import { emptyManifest } from './manifests.ts';

const KINDS = ['bool', 'int32', 'int64', 'float32', 'float64', 'string', 'bytes', 'timestamp'] as const;
const scalar = fc.constantFrom<DataType>(...KINDS.map((kind) => ({ kind })));
const type: fc.Arbitrary<DataType> = fc.oneof(
  { weight: 5, arbitrary: scalar },
  { weight: 1, arbitrary: scalar.map((of): DataType => ({ kind: 'list', of })) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }).map((size): DataType => ({ kind: 'vector', size })) },
);

/** Names of columns are the data's: nearly anything. */
const columnName = fc.oneof(
  fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/),
  fc.constantFrom('constructor', 'type', 'a/b~c', '$', 'été', 'with space', 'x{y}', '#'),
);
/** Names of endpoints and models; the others take no hyphen. */
const label = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,5}[_-]?[A-Za-z0-9]{1,3}$/);
const identifier = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,5}_?[A-Za-z0-9]{1,3}$/);

const fields = (name: fc.Arbitrary<string>, minLength: number): fc.Arbitrary<Field[]> =>
  fc.uniqueArray(fc.record({ name, type }), { selector: (field) => field.name, minLength, maxLength: 5 });
const names = (of: fc.Arbitrary<string>, minLength = 1): fc.Arbitrary<string[]> =>
  fc.uniqueArray(of, { minLength, maxLength: 3 });

const positive = fc.integer({ min: 1 });
const cache = fc.record({ ttlMicros: fc.integer({ min: 1, max: 1e9 }), maxBytes: positive, maxEntries: positive });
const tags = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string(), { maxKeys: 2 });
const about = fc.record({ description: fc.string(), owner: fc.string(), tags }, { requiredKeys: [] });

const HAPPENED_AT: Field = { name: 'happened_at', type: { kind: 'timestamp' } };

type Draw = <T>(arbitrary: fc.Arbitrary<T>) => T;

/** `draw` gives a value of what it is asked for. */
function drawManifest(draw: Draw): Manifest {
  const byName = <T extends { readonly name: string }>(list: readonly T[]): Record<string, T> =>
    Object.fromEntries(list.map((one) => [one.name, one]));

  const entity = draw(identifier);
  const byKey = { selector: (key: Field) => key.name, minLength: 1, maxLength: 2 };
  const keys = draw(fc.uniqueArray(fc.record({ name: identifier, type: scalar }), byKey));
  const keyColumns = keys.map((key) => key.name);
  const sources = draw(names(identifier)).map((name): SourceSpec => {
    const columns = draw(fields(columnName, 1)).filter((column) => column.name !== 'happened_at');
    return {
      ...draw(about),
      name,
      kind: 'pushed',
      location: {},
      columns: [...keys.filter((key) => !columns.some(({ name }) => name === key.name)), ...columns, HAPPENED_AT],
      derive: [],
      eventTime: 'happened_at',
      knownTime: { kind: 'after', micros: 0 },
      pushes: 'keep',
    };
  });
  const views = draw(names(identifier)).map((name): ViewSpec => {
    const features = draw(fields(identifier, 1)).map((field): FeatureSpec => {
      const described = draw(fc.boolean()) ? { description: draw(fc.string()) } : {};
      return { ...field, ...described, aggregation: { op: 'latest', column: 'happened_at' } };
    });
    const source = draw(fc.constantFrom(...sources));
    return {
      ...draw(about),
      name,
      entity,
      source: source.name,
      keyColumns,
      ttlMicros: MICROS_PER_DAY,
      features,
      freshness: { kind: 'live' },
    };
  });
  const taken = views.map(({ name }) => name);
  const onDemandViews = draw(names(identifier, 0))
    .filter((name) => !taken.includes(name))
    .map((name): OnDemandViewSpec => {
      const columns = draw(fields(columnName, 1)).filter((column) => !keys.some((key) => key.name === column.name));
      return {
        name,
        inputs: [{ kind: 'request', name: 'request', columns }],
        features: draw(fields(identifier, 1)),
        transform: { id: `onDemand/${name}`, hash: 'a'.repeat(64) },
      };
    });
  const services = draw(names(identifier, 0)).map((name) => ({
    ...draw(about),
    name,
    members: [
      ...draw(fc.subarray(views, { minLength: 1 })).map((view) => ({
        kind: 'view' as const,
        role: view.name,
        view: view.name,
        keyColumns,
        features: view.features.map((feature) => feature.name),
      })),
      ...draw(fc.subarray(onDemandViews)).map((view) => ({
        kind: 'onDemand' as const,
        role: view.name,
        view: view.name,
        features: view.features.map((feature) => feature.name),
      })),
    ],
  }));
  const models = services.length === 0 ? [] : draw(names(label, 0));
  const endpoints = models.length === 0 ? [] : draw(names(label, 0));
  return {
    ...emptyManifest,
    entities: { [entity]: { name: entity, keys } },
    sources: byName(sources),
    views: byName(views),
    onDemandViews: byName(onDemandViews),
    services: byName(services),
    models: byName(
      models.map((name) => ({
        name,
        service: draw(fc.constantFrom(...services)).name,
        outputs: draw(fields(identifier, 1)),
        providers: ['cpu'],
      })),
    ),
    endpoints: byName(
      endpoints.map((name) => ({
        ...draw(about),
        name,
        model: draw(fc.constantFrom(...models)),
        unit: keyColumns,
        whenStoreDown: 'fail' as const,
        ...draw(fc.record({ cache }, { requiredKeys: [] })),
      })),
    ),
  };
}

/** Names beside hold; nothing of it can be computed. */
export const manifests: fc.Arbitrary<Manifest> = fc
  .gen()
  .map((generate) => drawManifest((arbitrary) => generate(() => arbitrary)));
