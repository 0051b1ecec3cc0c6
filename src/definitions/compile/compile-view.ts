// Entities and feature views as written to their specs: keys mapped to columns, times in microseconds.

import { didYouMean, isKeyType, sameType, typeName } from '../../core/index.ts';
import type { AuthoredEntity, AuthoredView } from '../authoring/authored.ts';
import { AUTHORED } from '../authoring/authored-mark.ts';
import { findSlips } from '../authoring/call.ts';
import { FRESHNESS_OPTIONS } from '../authoring/feature-view.ts';
import { describeResult } from '../calling/user-value.ts';
import type { EntitySpec, SourceSpec, ViewSpec } from '../manifest.ts';
import { own } from '../own.ts';
import { compileViewExpect } from './compile-expect.ts';
import { compileFeatures } from './compile-feature.ts';
import { sourceFields } from './compile-source.ts';
import { compileViewTimes } from './compile-times.ts';
import { type DeclaredColumns, declaredColumns, declaredFields, declaredNames } from './declared.ts';
import { duration } from './duration.ts';
import { compileAbout, compileFields, expectRecord, hasNone } from './fields.ts';
import type { Mistakes } from './mistakes.ts';
import { identifierMistake, showName, suggest } from './names.ts';

export function compileEntity(entity: AuthoredEntity, mistakes: Mistakes): EntitySpec {
  const nameMistake = identifierMistake(entity.name);
  if (nameMistake !== undefined) mistakes.add(entity, nameMistake, [0]);
  const keys = compileFields(entity.keys, entity, 'key', [1, 'keys'], identifierMistake, mistakes, true);
  if (hasNone(entity.keys))
    mistakes.add(entity, 'it has no keys: list them in `keys: { id: t.string() }`', [1, 'keys']);
  for (const key of keys) {
    if (!isKeyType(key.type))
      mistakes.add(
        entity,
        `key ${showName(key.name)} is ${typeName(key.type)}, which cannot be a key. Use a single value, t.string() for example`,
        [1, 'keys', key.name],
      );
  }
  return {
    ...compileAbout(entity, entity.about, [1], mistakes),
    ...(entity.renamedFrom === undefined ? {} : { renamedFrom: entity.renamedFrom }),
    name: entity.name,
    keys,
  };
}

export function compileView(
  view: AuthoredView,
  entity: EntitySpec | undefined,
  source: SourceSpec | undefined,
  mistakes: Mistakes,
): ViewSpec {
  // Undefined where they are none, or have a name that is taken: that was told.
  const nameMistake = identifierMistake(view.name);
  if (nameMistake !== undefined) mistakes.add(view, nameMistake, [0]);
  const columns = source === undefined ? undefined : declaredColumns(view.source[AUTHORED], sourceFields(source));
  const features = compileFeatures(view, source, columns, mistakes);
  return {
    ...compileAbout(view, view.about, [1], mistakes),
    ...(view.renamedFrom === undefined ? {} : { renamedFrom: view.renamedFrom }),
    name: view.name,
    entity: entity?.name ?? '',
    source: source?.name ?? '',
    keyColumns: compileKeys(view, entity, source, columns, mistakes),
    ttlMicros: view.ttl === undefined ? null : duration(view, 'ttl', view.ttl, false, [1, 'ttl'], mistakes),
    features,
    freshness: compileFreshness(view, mistakes),
    ...compileViewTimes(view, mistakes),
    ...compileViewExpect(view, declaredFields(view.features, features), mistakes),
  };
}

function compileKeys(
  view: AuthoredView,
  entity: EntitySpec | undefined,
  source: SourceSpec | undefined,
  columns: DeclaredColumns | undefined,
  mistakes: Mistakes,
): string[] {
  if (entity === undefined || !expectRecord(view, 'keys', view.keys, [1, 'keys'], mistakes)) return [];
  const known = declaredNames(view.entity[AUTHORED].keys);
  for (const name of Object.keys(view.keys)) {
    if (!known.includes(name))
      mistakes.add(
        view,
        `keys names ${showName(name)}, and entity "${entity.name}" has no such key.${didYouMean(name, known)}`,
        [1, 'keys', name],
      );
  }
  return entity.keys.map((key) => {
    const at = [1, 'keys', key.name];
    const column = own(view.keys, key.name) ?? key.name;
    if (columns === undefined) return column;
    const field = columns.get(column);
    if (!columns.has(column)) {
      const how = own(view.keys, key.name) === undefined ? `; map it with \`keys: { ${key.name}: '<column>' }\`` : '';
      mistakes.add(
        view,
        `entity key "${key.name}" is looked for in column ${showName(column)}, which source "${source?.name}" does not have${how}.${suggest(column, columns.keys())}`,
        at,
      );
    } else if (field !== undefined && !sameType(field.type, key.type)) {
      mistakes.add(
        view,
        `entity key "${key.name}" is ${typeName(key.type)}, and its column "${column}" of source "${source?.name}" is ${typeName(field.type)}. Give both one type`,
        at,
      );
    }
    return column;
  });
}

function compileFreshness(view: AuthoredView, mistakes: Mistakes): ViewSpec['freshness'] {
  const { freshness } = view;
  const at = [1, 'freshness'];
  if (freshness === 'live') return { kind: 'live' };
  if (freshness === null || typeof freshness !== 'object') {
    mistakes.add(view, `freshness must be 'live' or { every: '1h', lag: '5m' }, got ${describeResult(freshness)}`, at);
    return { kind: 'live' };
  }
  mistakes.addSlips(view, findSlips(freshness, FRESHNESS_OPTIONS, at, 'freshness'));
  const { every, lag } = freshness;
  return {
    kind: 'scheduled',
    everyMicros: duration(view, 'freshness.every', every, false, [...at, 'every'], mistakes),
    lagMicros: lag === undefined ? 0 : duration(view, 'freshness.lag', lag, true, [...at, 'lag'], mistakes),
  };
}
