// Who is touched by a change, and how that is said.

/** Someone who reads what changes. `features`: those of them that do, by full name; none where it is not for a feature. */
export type Touched = { readonly features: readonly string[] } & (
  | { readonly kind: 'model'; readonly model: string; readonly versions: readonly number[] }
  | { readonly kind: 'endpoint'; readonly endpoint: string }
  | { readonly kind: 'training_set'; readonly id: string; readonly name: string | null }
);

/** `model delay_classifier versions 2, 3` */
export function describeTouched(one: Touched): string {
  switch (one.kind) {
    case 'model':
      return `model ${one.model} ${one.versions.length === 1 ? 'version' : 'versions'} ${one.versions.join(', ')}`;
    case 'endpoint':
      return `endpoint ${one.endpoint}`;
    case 'training_set':
      return `training set ${one.id.slice(0, 8)}${one.name === null ? '' : ` ${JSON.stringify(one.name)}`}`;
  }
}

const MOST_SETS = 4;

/** Each in words; of many training sets the first few, and how many more there are. */
export function describeEach(all: readonly Touched[], describe = describeTouched): string[] {
  const [others, sets] = [all.filter(({ kind }) => kind !== 'training_set'), all.filter(isSet)];
  const shown = sets.length > MOST_SETS + 1 ? sets.slice(0, MOST_SETS) : sets;
  const more = sets.length - shown.length;
  return [...others, ...shown].map((one) => describe(one)).concat(more > 0 ? [`${more} more training sets`] : []);
}

function isSet({ kind }: Touched): boolean {
  return kind === 'training_set';
}

/** One entry for each model, endpoint and training set, with all of its versions and features; models first. */
export function mergeTouched(all: Iterable<Touched>): readonly Touched[] {
  const merged = new Map<
    string,
    { readonly one: Touched; readonly versions: Set<number>; readonly features: Set<string> }
  >();
  for (const one of all) {
    const id = one.kind === 'model' ? one.model : one.kind === 'endpoint' ? one.endpoint : one.id;
    const key = `${one.kind}/${id}`;
    const known = merged.get(key) ?? { one, versions: new Set(), features: new Set() };
    merged.set(key, known);
    for (const feature of one.features) known.features.add(feature);
    if (one.kind === 'model') for (const version of one.versions) known.versions.add(version);
  }
  return [...merged.values()]
    .map(({ one, versions, features }) => {
      const own = { ...one, features: [...features] };
      return own.kind === 'model' ? { ...own, versions: [...versions].sort((a, b) => a - b) } : own;
    })
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

const ORDER: readonly Touched['kind'][] = ['model', 'endpoint', 'training_set'];
