// What objects and features were called before: where it goes in the manifest, and what is refused.

import { describe, expect, it } from 'vitest';
import { checkManifest } from '../../src/definitions/index.ts';
import { count, entity, latest, mean, onDemandView, t } from '../../src/index.ts';
import { compile, delays, mistakesOf, type Untyped, view } from '../support/written-definitions.ts';
import { loadingMistakes } from '../support/written-repository.ts';

const onDemand = (name: string, more: object = {}): unknown =>
  (onDemandView as Untyped)(name, {
    inputs: { r: { x: t.bool() } },
    features: { y: t.bool() },
    transform: () => ({ y: true }),
    ...more,
  });

describe('a former name', () => {
  it('stands in the manifest, and nowhere without it', () => {
    const { manifest } = compile({
      e: entity('place', { keys: { id: t.string() }, renamedFrom: 'airfield' }),
      v: view('late', {
        renamedFrom: 'lateness',
        features: {
          last: latest('delay').renamedFrom('newest'),
          mean_7d: mean('delay').over('7d').default(0).renamedFrom('m7').describe('mean'),
          n: count().over('1d'),
        },
      }),
      o: onDemand('soon', { renamedFrom: 'before' }),
    });
    expect(manifest.entities['place']).toMatchObject({ renamedFrom: 'airfield' });
    expect(manifest.entities['airport']).not.toHaveProperty('renamedFrom');
    expect(manifest.views['late']).toMatchObject({
      renamedFrom: 'lateness',
      features: [
        { name: 'last', renamedFrom: 'newest' },
        { name: 'mean_7d', renamedFrom: 'm7', default: 0, description: 'mean' },
        { name: 'n' },
      ],
    });
    expect(manifest.views['late']?.features[2]).not.toHaveProperty('renamedFrom');
    expect(manifest.onDemandViews['soon']).toMatchObject({ renamedFrom: 'before' });
    for (const spec of [...Object.values(manifest.views), ...Object.values(manifest.entities)])
      expect(spec).not.toHaveProperty('storedAs');
  });

  it('and the name under which data lies fit the manifest’s schema', () => {
    const { manifest } = compile({ delays });
    const { views, entities } = manifest;
    checkManifest({
      ...manifest,
      views: { delays: { ...views['delays'], renamedFrom: 'x', storedAs: 'x' } },
      entities: { airport: { ...entities['airport'], storedAs: 'field' } },
    });
    expect(() => checkManifest({ ...manifest, views: { delays: { ...views['delays'], storedAs: 3 } } })).toThrow(
      /does not fit its schema/,
    );
  });

  const cases: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, ...(string | RegExp)[]]>> = {
    'its own': [
      {
        e: entity('place', { keys: { id: t.string() }, renamedFrom: 'place' }),
        v: view('late', { renamedFrom: 'late', features: { n: count().over('1d').renamedFrom('n') } }),
        o: onDemand('soon', { renamedFrom: 'soon' }),
      },
      'entity "place": renamedFrom is its own name. Leave it out',
      'feature view "late": renamedFrom is its own name. Leave it out',
      'feature view "late": feature "n": renamedFrom is its own name. Leave it out',
      'on-demand view "soon": renamedFrom is its own name. Leave it out',
    ],
    'still another’s': [
      {
        e: entity('place', { keys: { id: t.string() }, renamedFrom: 'airport' }),
        v: view('late', {
          renamedFrom: 'soon',
          features: { n: count().over('1d'), m: count().over('2d').renamedFrom('n') },
        }),
        o: onDemand('soon', { renamedFrom: 'late' }),
      },
      'entity "place": renamedFrom names "airport", which an entity in features.ts still is. Rename that one, or leave renamedFrom out',
      'feature view "late": renamedFrom names "soon", which an on-demand view in features.ts still is.',
      'feature view "late": feature "m": renamedFrom names "n", which another feature still is.',
      'on-demand view "soon": renamedFrom names "late", which a feature view in features.ts still is.',
    ],
    'claimed twice': [
      {
        a: entity('a', { keys: { id: t.string() }, renamedFrom: 'x' }),
        b: entity('b', { keys: { id: t.string() }, renamedFrom: 'x' }),
        v: view('v', {
          renamedFrom: 'y',
          features: { n: count().over('1d').renamedFrom('z'), m: count().over('2d').renamedFrom('z') },
        }),
        o: onDemand('o', { renamedFrom: 'y' }),
      },
      'entity "b": entity "a" in features.ts is renamed from "x" too. One of them can be',
      'on-demand view "o": feature view "v" in features.ts is renamed from "y" too.',
      'feature view "v": feature "m": feature "n" is renamed from "z" too.',
    ],
    'no name': [
      {
        e: entity('e', { keys: { id: t.string() }, renamedFrom: 'a b' }),
        v: view('v', { renamedFrom: 3, features: { n: (count() as Untyped).over('1d').renamedFrom(null) } }),
        o: onDemand('o', { renamedFrom: 'a__b' }),
      },
      'entity "e": renamedFrom: "a b" is not a good name',
      'feature view "v": renamedFrom: a name must be text, got number 3',
      'feature view "v": feature "n": renamedFrom: a name must be text, got null',
      'on-demand view "o": renamedFrom: the name "a__b" is reserved',
    ],
  };

  it.each(Object.entries(cases))('is refused when it is %s', (_name, [objects, ...expected]) => {
    const got = mistakesOf(objects);
    expect(got).toHaveLength(expected.length);
    for (const part of expected) expect(got.join('\n')).toContain(part);
  });

  it('is fine when it was another kind’s, or differs in case', () => {
    const objects = {
      v: view('airports', { renamedFrom: 'airport', features: { N: count().over('1d').renamedFrom('n') } }),
    };
    expect(mistakesOf(objects)).toEqual([]);
  });

  it('is told at its place', async () => {
    const details = await loadingMistakes({
      'x.ts': `import { entity, featureView, latest, parquet, t } from 'headrace';
const e = entity('e', { keys: { id: t.string() }, renamedFrom: 'e' });
const s = parquet('s', { path: 'x', columns: { id: t.string(), at: t.timestamp() }, eventTime: 'at' });
export const v = featureView('v', { entity: e, source: s, features: { n: latest('id').renamedFrom('n') } });`,
    });
    expect(details.map(({ path }) => path)).toEqual(['x.ts:2:51: entity "e"', 'x.ts:4:99: feature view "v"']);
  });
});
