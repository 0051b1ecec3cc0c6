// Who reads a feature that changes: a model version in use, and the endpoints that it answers at, for which that is
// breaking; a training set, which is touched by it.

import { type Manifest, own } from '../../definitions/index.ts';
import { type Cause, type ChangedFeature, changedFeatures } from './changed-features.ts';
import type { Consequences, Outcome, Situation } from './consequences.ts';
import type { ModelInUse, Pinned } from './in-use.ts';
import type { Touched } from './touched.ts';

export function checkFeatures(situation: Situation, { blame, touch }: Consequences): void {
  const { before, after, inUse } = situation;
  const compare = rememberingComparison(situation);
  const broken = new Map<string, Broken>();
  for (const one of inUse.models) {
    // That the model goes is told by itself.
    if (own(before.models, one.model) !== undefined && own(after.models, one.model) === undefined) continue;
    const answering = inUse.endpoints.filter((at) => at.model === one.model && at.versions.includes(one.version));
    for (const change of compare(one, serviceAfter(one, before, after))) {
      const features = [change.feature];
      const who: Touched[] = [
        { kind: 'model', model: one.model, versions: [one.version], features },
        ...answering.map(({ endpoint }): Touched => ({ kind: 'endpoint', endpoint, features })),
      ];
      for (const { key, aspect } of causesOf(change, situation)) note(broken, key, change.feature, aspect, who);
    }
  }
  for (const set of inUse.trainingSets) {
    // There are many, and most are of a feature as it was long ago.
    for (const change of compare(set).filter(({ wasCurrent }) => wasCurrent)) {
      const who: Touched = { kind: 'training_set', id: set.id, name: set.name, features: [change.feature] };
      for (const key of new Set(causesOf(change, situation).map((cause) => cause.key))) {
        touch(key, [who]);
        const reason = broken.get(key);
        if (reason?.features.has(change.feature) === true) reason.who.push(who);
      }
    }
  }
  for (const [key, { features, who }] of broken) blame(key, describeFeatures(features), GO_ON, who);
}

const GO_ON: Outcome = [
  'it goes on getting what it was registered with',
  'they go on getting what they were registered with',
];

type Aspects = ReadonlySet<Cause['aspect']>;

interface Broken {
  readonly features: Map<string, Aspects>;
  readonly who: Touched[];
}

function note(
  broken: Map<string, Broken>,
  key: string,
  feature: string,
  aspect: Cause['aspect'],
  who: readonly Touched[],
): void {
  const known = broken.get(key) ?? { features: new Map<string, Aspects>(), who: [] };
  known.features.set(feature, new Set([...(known.features.get(feature) ?? []), aspect]));
  known.who.push(...who);
  broken.set(key, known);
}

// Many versions are made of the same definitions.
function rememberingComparison(situation: Situation): (pinned: Pinned, later?: string) => readonly ChangedFeature[] {
  const known = new Map<Manifest, Map<string, readonly ChangedFeature[]>>();
  return (pinned, later = pinned.service) => {
    const held = known.get(pinned.manifest) ?? new Map<string, readonly ChangedFeature[]>();
    known.set(pinned.manifest, held);
    const id = JSON.stringify([pinned.service, later]);
    const found = held.get(id) ?? changedFeatures(situation, pinned, later);
    held.set(id, found);
    return found;
  };
}

/** The service that a version's features are looked for in: where its model turns to another, that one. */
export function serviceAfter({ model, service }: ModelInUse, before: Manifest, after: Manifest): string {
  return own(before.models, model)?.service === service ? (own(after.models, model)?.service ?? service) : service;
}

function causesOf(
  { causes }: ChangedFeature,
  { keyOf, anyKey }: Situation,
): readonly { readonly key: string; readonly aspect: Cause['aspect'] }[] {
  const found = causes.flatMap(({ owner, aspect }) => {
    const key = keyOf(owner);
    return key === undefined ? [] : [{ key, aspect }];
  });
  const [first] = found;
  if (first === undefined) return [{ key: anyKey, aspect: causes[0]?.aspect ?? 'meaning' }];
  // That something goes is one object's doing; the others follow.
  return first.aspect === 'goes' ? [first] : found;
}

/** `a, b change meaning; c goes` */
function describeFeatures(features: ReadonlyMap<string, Aspects>): string {
  const groups = Map.groupBy([...features], ([, aspects]) => ASPECTS.filter((one) => aspects.has(one)).join(' and '));
  return [...groups]
    .map(([aspects, own]) => {
      const isOne = own.length === 1;
      const verb = aspects === 'goes' ? (isOne ? 'goes' : 'go') : `${isOne ? 'changes' : 'change'} ${aspects}`;
      return `${listed(own.map(([name]) => name))} ${verb}`;
    })
    .join('; ');
}

const ASPECTS: readonly Cause['aspect'][] = ['goes', 'type', 'meaning', 'code'];
const MOST_NAMED = 6;

/** The first few names, and how many more there are. */
function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  return more > 1 ? `${names.slice(0, MOST_NAMED).join(', ')} and ${more} more` : names.join(', ');
}
