// A run's parameters: what the caller gave, checked against the pipeline's declaration, defaults filled in.

import {
  didYouMean,
  describe,
  type ErrorDetail,
  INVALID,
  invalid,
  parseJson,
  parseValue,
  toJson,
  typeName,
} from '../core/index.ts';
import type { PipelineSpec } from '../definitions/index.ts';

/**
 * Parameters as plain JSON data. A text stands for a value of the declared type (`--param seed=7`). Throws HR_INVALID
 * that names every unknown, wrong or missing one.
 */
export function resolveParams(
  pipeline: PipelineSpec,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const mistakes: ErrorDetail[] = [];
  const known = pipeline.params.map((param) => param.name);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const list = known.length === 0 ? 'it takes none' : `it takes ${known.join(', ')}`;
    const message = `pipeline "${pipeline.name}" has no such parameter; ${list}.${didYouMean(name, known)}`;
    mistakes.push({ path: `params.${name}`, message });
  }
  const params: Record<string, unknown> = {};
  for (const { name, type, default: byDefault } of pipeline.params) {
    const raw = Object.hasOwn(given, name) ? given[name] : byDefault;
    if (raw === undefined) {
      const message = `expected ${typeName(type)}, and nothing was given; it has no default. Give it: --param ${name}=…`;
      mistakes.push({ path: `params.${name}`, message });
      continue;
    }
    const value = parseValue(type, typeof raw === 'string' && type.kind !== 'string' ? fromText(raw, type.kind) : raw);
    if (value === INVALID)
      mistakes.push({ path: `params.${name}`, message: `expected ${typeName(type)}, got ${describe(raw)}` });
    else params[name] = toJson(type, value);
  }
  if (mistakes.length > 0) throw invalid(mistakes);
  return params;
}

/**
 * Parameters of a run that goes on, or is repeated, by the code of now: as they were, but for those that its pipeline takes no more;
 * what it takes since has its default. Throws HR_INVALID for what has none, and for a wrong one of `given`.
 */
export function paramsOfNow(
  pipeline: PipelineSpec,
  before: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const kept = Object.entries(before).filter(([name]) => pipeline.params.some((param) => param.name === name));
  return resolveParams(pipeline, { ...Object.fromEntries(kept), ...given });
}

function fromText(text: string, kind: string): unknown {
  if (kind === 'timestamp' || kind === 'bytes') return text;
  try {
    return parseJson(text);
  } catch {
    return text; // not JSON: then it must be a value's own text, such as NaN
  }
}
