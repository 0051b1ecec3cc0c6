// What an endpoint keeps of its models' answers: how long, and how much.

import { didYouMean } from '../../core/index.ts';
import type { AuthoredEndpoint } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { CacheSpec, EndpointSpec, ModelSpec } from '../manifest.ts';
import { duration } from './duration.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { showName } from './names.ts';
import { isPlain } from './plain-data.ts';

const DEFAULTS = { maxBytes: 16 * 2 ** 20, maxEntries: 100_000 };
/** A map takes no more than 16 million. */
const MOST = { maxBytes: 2 ** 40, maxEntries: 10_000_000 };
const MEMBERS = ['ttl', 'maxBytes', 'maxEntries'];

/** `model`: the endpoint's, undefined where it is not known. */
export function compileCache(
  endpoint: AuthoredEndpoint,
  model: ModelSpec | undefined,
  mistakes: Mistakes,
): Pick<EndpointSpec, 'cache'> {
  const written: unknown = endpoint.cache;
  if (written === undefined) return {};
  const path = [1, 'cache'];
  if (!isPlain(written) || written === null || typeof written !== 'object' || Array.isArray(written)) {
    mistakes.add(endpoint, `cache must be { ttl: '10s' }, got ${describeAuthored(written)}`, path);
    return {};
  }
  const { ttl, maxBytes, maxEntries, ...others } = written as { readonly [member: string]: unknown };
  const [other] = Object.keys(others);
  if (other !== undefined) {
    const sentence = `cache has no member ${showName(other)}; it is { ttl, maxBytes, maxEntries }.${didYouMean(other, MEMBERS)}`;
    mistakes.add(endpoint, sentence, [...path, other]);
  }
  // By its functions, or by what stands in for a node that failed once.
  if (model?.graph !== undefined) {
    const sentence = `cache: model ${showName(model.name)} is made of others, and what a graph answers may depend on more than the features that it is given. Leave cache out`;
    mistakes.add(endpoint, sentence, path);
  }
  const bound = (member: keyof typeof DEFAULTS, value: unknown): number => {
    if (value === undefined) return DEFAULTS[member];
    if (Number.isInteger(value) && (value as number) > 0 && (value as number) <= MOST[member]) return value as number;
    const rule = `must be a whole number from 1 to ${MOST[member]}`;
    mistakes.add(endpoint, `cache: ${member} ${rule}, got ${describeResult(value)}`, [...path, member]);
    return DEFAULTS[member];
  };
  const cache: CacheSpec = {
    ttlMicros: duration(endpoint, 'cache: ttl', ttl, false, [...path, 'ttl'], mistakes),
    maxBytes: bound('maxBytes', maxBytes),
    maxEntries: bound('maxEntries', maxEntries),
  };
  return { cache };
}
