// The bodies of Feast's requests, checked with a sentence for each slip. Members that we have no use for, such as
// `allow_registry_cache`, are left alone: versions of Feast's clients differ in what they send.

import { describe, HeadraceError, invalid } from '../../../core/index.ts';
import { inFeastsName } from '../../feast/feast-errors.ts';
import { createKnownLists } from './known-lists.ts';

export interface AskedOnlineFeatures {
  /** A feature service, or references of features, each `view:feature`. */
  readonly features: string | readonly string[];
  readonly entities: unknown;
  readonly isFull: boolean;
}

/** Throws HR_INVALID, for a reference that comes twice, too. */
export function parseOnlineFeatures(body: unknown): AskedOnlineFeatures {
  const { features, feature_service, entities, full_feature_names } = membersOf(body);
  const isFull = booleanOf('full_feature_names', full_feature_names);
  // As Feast has it: a service wins over references.
  if (feature_service !== undefined && feature_service !== null && feature_service !== '')
    return { features: textOf('feature_service', feature_service), entities, isFull };
  if (!Array.isArray(features) || features.length === 0) {
    const message = `expected references such as ["airport_delays:mean_delay_7d"], or a "feature_service", got ${describe(features)}`;
    throw invalid([{ path: 'features', message }]);
  }
  return { features: referencesOf(features), entities, isFull };
}

/** The same array for the same list, by which what it is compiled to is found. */
const referencesOf = createKnownLists((list): readonly string[] => {
  const references = list.map(referenceOf);
  refuseTwice(references);
  return references;
});

/** Nobody can tell them apart; and what a list of references compiles to is kept, however long it is. */
function refuseTwice(references: readonly string[]): void {
  const known = new Set<string>();
  for (const [at, reference] of references.entries()) {
    if (known.has(reference)) {
      const message = `${JSON.stringify(reference.slice(0, 200))} is asked for twice. Ask for it once`;
      throw inFeastsName('FeatureNameCollisionError', invalid([{ path: `features[${at}]`, message }]));
    }
    known.add(reference);
  }
}

/** `view@latest:feature` is `view:feature`. */
function referenceOf(json: unknown, at: number): string {
  if (typeof json === 'string' && !json.includes('@')) return json;
  const path = `features[${at}]`;
  const reference = textOf(path, json);
  const [, view, version, rest] = /^([^@:]*)@([^:]*)(:.*)$/s.exec(reference) ?? [];
  if (version === undefined) return reference;
  if (version === 'latest') return `${view}${rest}`;
  const message = `asks for version ${JSON.stringify(version.slice(0, 50))}: views are read as they are applied. Leave "@${version.slice(0, 50)}" out`;
  throw invalid([{ path, message }]);
}

export interface AskedPush {
  readonly source: string;
  readonly df: unknown;
}

/** Throws HR_INVALID. */
export function parsePushBody(body: unknown): AskedPush {
  const { push_source_name, df, to } = membersOf(body);
  checkTarget(to);
  return { source: textOf('push_source_name', push_source_name), df };
}

function checkTarget(to: unknown): void {
  if (to === undefined || to === 'online' || to === 'online_and_offline') return;
  const reason =
    to === 'offline'
      ? 'an event that is pushed is read online and by training sets alike, and no event is for one of them only'
      : `got ${describe(to)}`;
  throw invalid([{ path: 'to', message: `expected "online" or "online_and_offline": ${reason}` }]);
}

export interface AskedWrite {
  readonly view: string;
  readonly df: unknown;
}

/** Throws HR_INVALID. */
export function parseWriteBody(body: unknown): AskedWrite {
  const { feature_view_name, df } = membersOf(body);
  return { view: textOf('feature_view_name', feature_view_name), df };
}

/** Throws HR_INVALID. */
export function membersOf(body: unknown): Readonly<Record<string, unknown>> {
  if (body !== null && typeof body === 'object' && !Array.isArray(body))
    return body as Readonly<Record<string, unknown>>;
  const came = body === undefined ? 'nothing' : describe(body);
  throw new HeadraceError('HR_INVALID', `the body must be a JSON object, got ${came}.`);
}

function textOf(path: string, json: unknown): string {
  if (typeof json === 'string') return json;
  throw invalid([{ path, message: `expected text, got ${describe(json)}` }]);
}

function booleanOf(path: string, json: unknown): boolean {
  if (json === undefined || json === null) return false;
  if (typeof json === 'boolean') return json;
  throw invalid([{ path, message: `expected true or false, got ${describe(json)}` }]);
}
