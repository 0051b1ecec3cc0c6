// Renames that were not written: an object goes while another comes that is made as it was. A plan hints at what its author
// may have meant. Pure.

import { canonicalJson, contentHash, typeName } from '../../core/index.ts';
import {
  type EntitySpec,
  type Manifest,
  type OnDemandViewSpec,
  own,
  storedName,
  type ViewSpec,
  viewOfVersion,
  viewVersion,
} from '../../definitions/index.ts';
import type { ObjectKind } from './objects.ts';
import { pairRenamed, renamedFeatures, type Renames } from './renames.ts';

/** A sentence each, of the object of the later manifest that would say it. */
export type HintsOf = (object: ObjectKind, name: string) => readonly string[];

/** Both manifests have the names that data lies under (`withStoredNames`). */
export function findRenameHints(before: Manifest, after: Manifest, renames: Renames): HintsOf {
  const hints = new Map<string, string[]>();
  const add = (object: ObjectKind, name: string, hint: string): void => {
    hints.set(`${object}/${name}`, [...(hints.get(`${object}/${name}`) ?? []), hint]);
  };
  const entities = entityPairs(before, after, renames);
  for (const [was, is] of entities) add('entity', is.name, keepsData(was, is));
  for (const [was, is] of viewPairs(before, withEntities(after, entities), renames))
    add('view', is.name, keepsData(was, is));
  for (const [was, is] of onDemandPairs(before, after, renames))
    add('onDemandView', is.name, `${madeAs(was, is)}: renamedFrom: '${was.name}' makes it a rename`);
  for (const view of Object.values(after.views)) {
    for (const [was, is] of featurePairs(own(before.views, renames.former('view', view.name) ?? view.name), view))
      add('view', view.name, `feature ${madeAs(was, is)}: .renamedFrom('${was.name}') makes it a rename`);
  }
  return (object, name) => hints.get(`${object}/${name}`) ?? [];
}

interface Named {
  readonly name: string;
}

type Pairs<T> = readonly (readonly [was: T, is: T])[];

function madeAs(was: Named, is: Named): string {
  return `"${is.name}" is made as "${was.name}" was`;
}

function keepsData(was: Named, is: Named): string {
  return `${madeAs(was, is)}: renamedFrom: '${was.name}' keeps its data`;
}

/** Many entities have one key of one type: of those it is the same by whose columns views find it. */
function entityPairs(before: Manifest, after: Manifest, renames: Renames): Pairs<EntitySpec> {
  const columnsOf = ({ views }: Manifest, { name }: EntitySpec): readonly string[] =>
    Object.values(views)
      .filter(({ entity }) => entity === name)
      .map(({ source, keyColumns }) => canonicalJson([source, keyColumns]));
  const typesOf = ({ keys }: EntitySpec): string => keys.map(({ type }) => typeName(type)).join();
  return pairUnnamed('entity', before.entities, after.entities, renames, (was, is) => {
    const columns = columnsOf(before, was);
    return typesOf(was) === typesOf(is) && columnsOf(after, is).some((one) => columns.includes(one));
  });
}

/** As it would be with the hints at entities followed. */
function withEntities(manifest: Manifest, entities: Pairs<EntitySpec>): Manifest {
  const stored = entities.map(([was, is]) => [is.name, { ...is, storedAs: storedName(was) }] as const);
  return { ...manifest, entities: { ...manifest.entities, ...Object.fromEntries(stored) } };
}

function viewPairs(before: Manifest, after: Manifest, renames: Renames): Pairs<ViewSpec> {
  return pairUnnamed(
    'view',
    before.views,
    after.views,
    renames,
    (was, is) => meaningHash(viewVersion(before, was.name)) === meaningHash(viewVersion(after, is.name)),
  );
}

function meaningHash(version: string): string {
  return version.slice(viewOfVersion(version).length + 1);
}

function onDemandPairs(before: Manifest, after: Manifest, renames: Renames): Pairs<OnDemandViewSpec> {
  const madeOf = ({ inputs, features, transform }: OnDemandViewSpec): string =>
    canonicalJson([inputs, features, transform.hash]);
  return pairUnnamed(
    'onDemandView',
    before.onDemandViews,
    after.onDemandViews,
    renames,
    (was, is) => madeOf(was) === madeOf(is),
  );
}

function featurePairs(was: ViewSpec | undefined, is: ViewSpec): Pairs<ViewSpec['features'][number]> {
  if (was === undefined) return [];
  const renamed = renamedFeatures(was.features, is.features);
  const later = new Set(renamed.values());
  return pairRenamed(
    was.features.filter(({ name }) => !renamed.has(name)),
    is.features.filter(({ name }) => !later.has(name)),
    (one, other) => contentHash(one.aggregation) === contentHash(other.aggregation),
  );
}

/** What goes and what comes, where no rename is written of either. */
function pairUnnamed<T extends Named>(
  object: ObjectKind,
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  renames: Renames,
  isSame: (was: T, is: T) => boolean,
): Pairs<T> {
  return pairRenamed(
    Object.values(before).filter(({ name }) => renames.later(object, name) === undefined),
    Object.values(after).filter(({ name }) => renames.former(object, name) === undefined),
    isSame,
  );
}
