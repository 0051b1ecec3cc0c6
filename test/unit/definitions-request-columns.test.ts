// Request columns that may be absent: as they are written, in the manifest, and as a service asks for them.

import { describe, expect, it } from 'vitest';
import { checkManifest, resolveService, viewVersion } from '../../src/definitions/index.ts';
import { count, entity, featureService, featureView, onDemandView, pushed, t } from '../../src/index.ts';
import { compile } from '../support/written-definitions.ts';

const events = pushed('events', { columns: { id: t.string(), at: t.timestamp() }, eventTime: 'at' });

function written(
  key: ReturnType<typeof t.string>,
  ...requests: readonly Record<string, ReturnType<typeof t.float64>>[]
) {
  const user = entity('user', { keys: { id: key } });
  const seen = featureView('seen', { entity: user, source: events, features: { n: count().over('1d') } });
  const views = requests.map((request, i) =>
    onDemandView(`o${i}`, { inputs: { request }, features: { y: t.float64() }, transform: () => ({ y: null }) }),
  );
  return { seen, service: featureService('s', [seen, ...views]), ...Object.fromEntries(views.map((v) => [v.name, v])) };
}

const columns = (...given: Parameters<typeof written>) =>
  resolveService(compile(written(...given)).manifest, 's').requestColumns.map(({ type: _type, ...rest }) => rest);

describe('the manifest', () => {
  it('says what is optional and what has a default, and passes its schema', () => {
    const { manifest } = compile(
      written(t.string().optional(), { a: t.float64().optional(), b: t.float64().default(2) }),
    );
    expect(manifest.entities['user']?.keys).toEqual([{ name: 'id', type: { kind: 'string' }, isOptional: true }]);
    expect(manifest.onDemandViews['o0']?.inputs).toEqual([
      {
        kind: 'request',
        name: 'request',
        columns: [
          { name: 'a', type: { kind: 'float64' }, isOptional: true },
          { name: 'b', type: { kind: 'float64' }, default: 2 },
        ],
      },
    ]);
    expect(() => checkManifest(JSON.parse(JSON.stringify(manifest)))).not.toThrow();
  });

  it('is the same for a default that is optional, too', () => {
    const of = (type: ReturnType<typeof t.float64>) => compile(written(t.string(), { a: type })).manifest;
    expect(of(t.float64().default(1).optional())).toEqual(of(t.float64().default(1)));
    expect(of(t.float64().optional().default(1))).toEqual(of(t.float64().default(1)));
  });

  it('keeps the version of a view whose entity may be absent: what is stored is the same', () => {
    const versions = [t.string(), t.string().optional(), t.string().default('nobody')].map((key) =>
      viewVersion(compile(written(key)).manifest, 'seen'),
    );
    expect(new Set(versions).size).toBe(1);
  });

  it('does not say that of what requests do not carry', () => {
    const optional = t.float64().optional();
    expect(() =>
      compile({
        events: pushed('events', { columns: { x: optional, at: t.timestamp() }, eventTime: 'at' }),
        o: onDemandView('o', {
          inputs: { r: { x: optional } },
          features: { y: optional },
          transform: () => ({ y: 1 }),
        }),
      }),
    ).toThrow(/feature "y" can't be optional(.|\n)*column "x" can't be optional/);
  });
});

describe('a service', () => {
  it('asks for what any of its views must have', () => {
    const [id, a] = [{ name: 'id' }, { name: 'a' }];
    const optional = t.float64().optional();
    expect(columns(t.string(), { a: t.float64() })).toEqual([id, a]);
    expect(columns(t.string().optional(), { a: optional }, { a: optional })).toEqual([
      { ...id, isOptional: true },
      { ...a, isOptional: true },
    ]);
    expect(columns(t.string(), { a: optional }, { a: t.float64() })).toEqual([id, a]);
    expect(columns(t.string().default('x'), { a: t.float64().default(1) }, { a: t.float64().default(1) })).toEqual([
      { ...id, default: 'x' },
      { ...a, default: 1 },
    ]);
  });

  it('has one default for a column, whoever asks for it', () => {
    const two = (one: ReturnType<typeof t.float64>, other: ReturnType<typeof t.float64>) => () =>
      compile(written(t.string(), { a: one }, { a: other }));
    expect(two(t.float64().default(1), t.float64().default(2))).toThrow(
      'request column "a" has the default 1 for view "o0" and the default 2 for view "o1". Give both the same',
    );
    expect(two(t.float64().optional(), t.float64().default(2))).toThrow('no default for view "o0" and the default 2');
  });
});
