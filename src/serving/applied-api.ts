// What clients know of definitions that are applied, without a server: by its document, so that both say the same.

import type { Api } from '../client/index.ts';
import { parseJson, stringifyJson } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import { catalogueOf } from './catalogue.ts';
import { openApiDocument } from './http/openapi/document.ts';
import { apiOfDocument } from './http/openapi/read-document.ts';

/** By these definitions alone: a server adds what its models' versions were trained on. */
export function appliedApi(definitions: Definitions): Api {
  const catalogue = catalogueOf({
    // It stands in no path and no schema.
    revision: 0,
    definitions,
    versions: [],
    complete: new Set(),
    endpoints: new Map(),
    services: new Map(),
  });
  return apiOfDocument(parseJson(stringifyJson(openApiDocument({}, catalogue, ''))));
}
