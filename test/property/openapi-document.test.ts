// Whatever is applied, the document is valid OpenAPI 3.1, names each operation once, and its examples are what it asks for.

import { Validator } from '@seriousme/openapi-schema-validator';
import addFormats from 'ajv-formats';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, stringifyJson } from '../../src/core/index.ts';
import { type Definitions, type Manifest, resolveService } from '../../src/definitions/index.ts';
import { type Catalogue, catalogueOf } from '../../src/serving/catalogue.ts';
import { docsPage } from '../../src/serving/http/docs/page.ts';
import { openApiDocument } from '../../src/serving/http/openapi/document.ts';
import { compileRowParser } from '../../src/serving/row-parser.ts';
import { flightsManifest } from '../support/manifests.ts';
import { manifests } from '../support/random-manifests.ts';
import { smallManifest } from '../support/small-manifest.ts';
import { runs } from '../support/tier.ts';

interface Operation {
  readonly operationId: string;
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: object; readonly example: unknown } };
  };
}
type Document = Readonly<Record<string, unknown>> & {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
};

const validator = new Validator();

function catalogue(manifest: Manifest): Catalogue {
  const definitions: Definitions = { manifest, hash: '', functions: new Map(), bundles: new Map(), directory: '' };
  const none = new Map<string, never>();
  return catalogueOf({ revision: 1, definitions, versions: [], complete: new Set(), endpoints: none, services: none });
}

/** As a client gets it. */
function documentOf(manifest: Manifest): Document {
  return JSON.parse(stringifyJson(openApiDocument({ paths: {} }, catalogue(manifest), '1.0.0'))) as Document;
}

async function check(manifest: Manifest): Promise<void> {
  const document = documentOf(manifest);
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'doc', components: { schemas: document.components.schemas } });
  for (const { requestBody } of operations) {
    const { schema, example } = requestBody?.content['application/json'] ?? {};
    const compiled = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/')));
    expect(compiled(example), JSON.stringify({ example, errors: compiled.errors })).toBe(true);
  }
  for (const { name } of Object.values(manifest.services)) {
    const { requestColumns } = resolveService(manifest, name);
    const example = document.paths[`/v1/services/${name}/read`]?.['post']?.requestBody?.content['application/json'];
    const { rows } = parseJson(JSON.stringify(example?.example)) as { readonly rows: readonly unknown[] };
    const mistakes: never[] = [];
    compileRowParser(requestColumns, 'rows')(rows[0], 0, mistakes);
    expect(mistakes).toEqual([]);
  }
}

describe('the document', () => {
  it.each([
    ['flights', flightsManifest],
    ['a view alone', smallManifest],
  ])('is valid for %s', (_name, manifest) => check(manifest));

  it('is valid for random manifests', async () => {
    await fc.assert(fc.asyncProperty(manifests, check), { numRuns: runs(60), endOnFailure: true });
  }, 60_000);

  it('is the same text for the same definitions', () => {
    fc.assert(
      fc.property(manifests, (manifest) => {
        const again = JSON.parse(JSON.stringify(manifest)) as Manifest;
        expect(JSON.stringify(documentOf(again))).toBe(JSON.stringify(documentOf(manifest)));
      }),
      { numRuns: runs(20), endOnFailure: true },
    );
  });
});

it('the page holds every name, and nothing that people wrote as anything but text', () => {
  const nasty = '<img src=x onerror="alert(1)">';
  fc.assert(
    fc.property(manifests, (manifest) => {
      const views = Object.fromEntries(
        Object.entries(manifest.views).map(([name, view]) => [
          name,
          { ...view, description: nasty, owner: nasty, tags: { nasty } },
        ]),
      );
      const page = docsPage(catalogue({ ...manifest, views }), [], '1.0.0');
      expect(page).not.toContain('<img');
      expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;');
      for (const kind of ['endpoints', 'services', 'sources', 'views'] as const)
        for (const name of Object.keys(manifest[kind])) expect(page).toContain(`id="${kind.slice(0, -1)}-${name}"`);
    }),
    { numRuns: runs(30), endOnFailure: true },
  );
});
