// What clients know of definitions that are applied, without a server: by its document, so that both say the same.

import type { Api } from '../client/index.ts';
import { parseJson, stringifyJson } from '../core/index.ts';
import type { Definitions } from '../definitions/index.ts';
import { catalogueOf } from './catalogue.ts';
import { openApiDocument } from './http/openapi/document.ts';
import { apiOfDocument } from './http/openapi/read-document.ts';

/** By the definitions of `revision` alone: a server adds what its models' versions were trained on. */
export function appliedApi(definitions: Definitions, revision: number): Api {
  const catalogue = catalogueOf({
    revision,
    definitions,
    versions: [],
    complete: new Set(),
    endpoints: new Map(),
    services: new Map(),
  });
  return apiOfDocument(parseJson(stringifyJson(openApiDocument({}, catalogue, ''))));
}
