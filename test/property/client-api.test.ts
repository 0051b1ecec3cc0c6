// What a client is typed by says of every definition what the definition says.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { writeApiModule } from '../../src/cli/write-api-module.ts';
import { type Field, typeName } from '../../src/core/index.ts';
import { type Definitions, type Manifest, mayLack, resolveService } from '../../src/definitions/index.ts';
import { appliedApi, apiOfDocument } from '../../src/serving/index.ts';
import { manifests } from '../support/random-manifests.ts';
import { flightsManifest } from '../support/manifests.ts';
import { runs } from '../support/tier.ts';

function definitionsOf(manifest: Manifest): Definitions {
  return { manifest, hash: '', functions: new Map(), bundles: new Map(), directory: '' };
}

/** Straight from the manifest, without a document between. */
function naive(manifest: Manifest): object {
  const service = (name: string) => {
    const { requestColumns, features } = resolveService(manifest, name);
    return {
      request: Object.fromEntries(
        requestColumns.map((field) => [field.name, `${typeName(field.type)}${mayLack(field) ? '?' : ''}`]),
      ),
      features: Object.fromEntries(features.map(({ name: feature, type }) => [feature, typeName(type)])),
    };
  };
  const by = <T>(names: object, of: (name: string) => T) =>
    Object.fromEntries(Object.keys(names).map((name) => [name, of(name)]));
  const typed = (source: string, field: Field) =>
    `${typeName(field.type)}${field.name === manifest.sources[source]?.eventTime ? '' : '?'}`;
  return {
    endpoints: by(manifest.endpoints, (name) => {
      const model = manifest.models[manifest.endpoints[name]?.model ?? ''];
      const outputs = Object.fromEntries((model?.outputs ?? []).map((field) => [field.name, typeName(field.type)]));
      return { ...service(model?.service ?? ''), outputs };
    }),
    services: by(manifest.services, service),
    sources: by(manifest.sources, (name) => ({
      columns: Object.fromEntries(
        (manifest.sources[name]?.columns ?? []).map((field) => [field.name, typed(name, field)]),
      ),
    })),
  };
}

/** The value that the module's text means. */
function read(text: string): unknown {
  const source = text.replace(/^[\s\S]*?export const api = /, '').replace(/;\n$/, '');
  // oxlint-disable-next-line typescript/no-implied-eval -- what a program that imports it gets is what is asked.
  return new Function(`return ${source}`)();
}

it('of the flights', () => {
  const manifest = flightsManifest;
  expect(appliedApi(definitionsOf(manifest))).toEqual(naive(manifest));
});

it('of any definitions, and so does the module', () => {
  fc.assert(
    fc.property(manifests, (manifest) => {
      const api = appliedApi(definitionsOf(manifest));
      expect(api).toEqual(naive(manifest));
      expect(read(writeApiModule(api, 'js'))).toEqual(api);
      expect(read(writeApiModule(api, 'ts').replace(' as const', ''))).toEqual(api);
    }),
    { numRuns: runs(100) },
  );
});

it('takes names that are no plain members', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.constantFrom('int64', 'string?')), (columns) => {
      const api = { endpoints: {}, services: {}, sources: { s: { columns } } };
      expect(read(writeApiModule(api, 'js'))).toEqual(api);
    }),
    { numRuns: runs(30) },
  );
});

it('reads nothing but documents, and says so', () => {
  fc.assert(
    fc.property(fc.anything(), (anything) => {
      expect(() => apiOfDocument(anything)).toThrow(/openapi\.json is not what a Headrace server/);
    }),
  );
  const document = {
    paths: { '/v1/sources/s/push': {} },
    components: { schemas: { SourceRow_s: { properties: { a: {} } } } },
  };
  expect(() => apiOfDocument(document)).toThrow('SourceRow_s.a is of no type that a column has');
});
