// The body of POST /v1/features/read, checked with better words than a schema's.

import { describe, invalid } from '../../core/index.ts';
import { type Layout, LAYOUTS } from '../features/answer-writer.ts';

export interface AskedFeatures {
  readonly service: string;
  /** Checked against the service's own columns. */
  readonly rows: unknown;
  readonly layout: Layout;
}

/** Throws HR_INVALID. */
export function parseReadBody(body: unknown): AskedFeatures {
  const { service, rows, options = {} } = membersOf(body, 'body', ['service', 'rows', 'options']);
  if (typeof service !== 'string') {
    throw invalid([{ path: 'service', message: `expected the name of a feature service, got ${describe(service)}` }]);
  }
  return { service, rows, layout: parseLayout(options) };
}

/** Of POST /v1/services/{service}/read, whose path names the service. Throws HR_INVALID. */
export function parseServiceReadBody(body: unknown): Omit<AskedFeatures, 'service'> {
  const { rows, options = {} } = membersOf(body, 'body', ['rows', 'options']);
  return { rows, layout: parseLayout(options) };
}

function parseLayout(options: unknown): Layout {
  const { layout = 'rows' } = membersOf(options, 'options', ['layout']);
  const known = LAYOUTS.find((one) => one === layout);
  if (known === undefined) {
    const expected = LAYOUTS.map((one) => `"${one}"`).join(' or ');
    throw invalid([{ path: 'options.layout', message: `expected ${expected}, got ${describe(layout)}` }]);
  }
  return known;
}

function membersOf(json: unknown, path: string, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (json === null || typeof json !== 'object' || Array.isArray(json))
    throw invalid([{ path, message: `expected an object, got ${describe(json)}` }]);
  for (const name of Object.keys(json)) {
    if (names.includes(name)) continue;
    const at = path === 'body' ? name : `${path}.${name}`;
    throw invalid([{ path: at.slice(0, 100), message: `is not a known member; there is ${names.join(', ')}` }]);
  }
  return json as Readonly<Record<string, unknown>>;
}
