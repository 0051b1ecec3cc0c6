// By which JSON messages are rows of a source of some definitions, whatever kind that is.

import type { Definitions, SourceSpec } from '../../src/definitions/index.ts';
import { compileKeyless, openDecoder, type RowRules } from '../../src/streams/index.ts';

export async function jsonRules({ manifest }: Definitions, name: string): Promise<() => RowRules> {
  const source = { ...(manifest.sources[name] as SourceSpec), location: { format: 'json' } };
  const rules = { decode: await openDecoder(source, { directory: '/' }), keyless: compileKeyless(source, manifest) };
  return () => rules;
}
