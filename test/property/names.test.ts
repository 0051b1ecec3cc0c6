// Names that every JavaScript object already has (`constructor`, `toString`) are names like any other, in every role.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import type { Definitions } from '../../src/definitions/index.ts';
import * as headrace from '../../src/index.ts';
import { openRegistry, type ObjectKind, versionsRead } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { compile, mistakesOf, type Untyped } from '../support/written-definitions.ts';
import { runs } from '../support/tier.ts';

const { count, endpoint, entity, featureService, featureView, grid, latest } = headrace;
const { model, onDemandView, parquet, pipeline, python, t, task } = headrace;
const LABELS =
  'constructor toString hasOwnProperty valueOf isPrototypeOf prototype length name then op kind hash type id'.split(
    ' ',
  );
const COLUMNS = [...LABELS, '__defineGetter__', '__lookupSetter__'];

const subset = (names: string[], size: number): fc.Arbitrary<string[]> =>
  fc.shuffledSubarray(names, { minLength: size, maxLength: size });
/** A name for each role; those of one scope differ. */
const names = fc.record({
  objects: subset(LABELS, 9),
  columns: subset(COLUMNS, 6),
  members: subset(LABELS, 9),
  has: fc.record({ endpoint: fc.boolean(), model: fc.boolean(), pipeline: fc.boolean() }),
  kind: fc.constantFrom<'float64' | 'string'>('float64', 'string'),
  isShort: fc.boolean(),
});
type Names = typeof names extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** A name that no object has: as long, and in the same place when sorted. Its last letter is the next one. */
function plain(name: string): string {
  return `${name.slice(0, -1)}${name.endsWith('_') ? 'a' : String.fromCharCode(name.charCodeAt(name.length - 1) + 1)}`;
}

/** The text with every plain name made back to what it stands for. */
function asOdd(text: string): string {
  return COLUMNS.reduce((made, name) => made.replaceAll(plain(name), name), text);
}

type Rename = (name: string) => string;

/** A repository in which every role has the name given for it. */
function repository({ objects, columns, members, has, kind, isShort }: Names, add: Rename): Definitions {
  const [e = '', s = '', v = '', o = '', service = '', m = '', end = '', pipe = '', r = ''] = objects.map(add);
  const [keyColumn = '', value = '', derived = '', request = '', sent = '', made = ''] = columns.map(add);
  const [key = '', f = '', w = '', input = '', on = '', output = '', param = '', one = '', need = ''] =
    members.map(add);
  const about = { tags: { [add('kind')]: 'list', [add('op')]: 'count', [add('hash')]: 'x', [add('id')]: kind } };
  const owner = entity(e, { keys: { [key]: t.string() }, ...about });
  const rows: Untyped = parquet(s, {
    path: `${kind}.parquet`,
    columns: { [keyColumn]: t.string(), [value]: t[kind](), at: t.timestamp(), [made]: t.int64() },
    derive: { [derived]: [t.float64(), () => 1] },
    eventTime: 'at',
    createdOrder: made,
  } as Untyped);
  const view: Untyped = featureView(v, {
    entity: owner,
    source: rows,
    keys: { [key]: keyColumn },
    features: { [f]: latest(value), ...(isShort ? {} : { [w]: count(derived).over('1d') }) },
  } as Untyped);
  const onDemand = onDemandView(o, {
    inputs: { [input]: { [request]: t[kind]() } },
    features: { [on]: t.float64() },
    transform: () => ({}),
  } as Untyped);
  const features = featureService(service, [view.as(r, { [key]: sent }), onDemand]);
  const scored = model(m, { features, outputs: { [output]: t[kind](), other: t.float32() } });
  const steps: Untyped = pipeline(pipe, { params: { [param]: t.int32() } });
  const first = steps.step(one, python('a.py', { args: { [param]: { kind: 'vector' } } }), {
    foreach: grid({ [need]: [1] }),
  });
  steps.step(need, task(() => 1) as Untyped, { needs: { [output]: first } });
  steps.step(
    on,
    task(() => 1),
    { foreach: first },
  );
  return compile({
    features,
    ...(has.model ? { scored } : {}),
    ...(has.endpoint ? { served: endpoint(end, { model: scored }) } : {}),
    ...(has.pipeline ? { steps } : {}),
  });
}

const DEFINED: readonly ObjectKind[] = ['entity', 'source', 'view', 'onDemandView', 'service'];
const KINDS: readonly ObjectKind[] = [...DEFINED, 'model', 'endpoint', 'pipeline', 'experiment', 'rollout'];

/** What the registry says of each definitions in turn: plan, apply, plan again; models and endpoints between them. */
async function story(sequence: readonly Names[], rename: Rename): Promise<string> {
  const database = await openDatabase('sqlite::memory:');
  try {
    const registry = await openRegistry(database, fixedClock(0), () => 'salt');
    const told: unknown[] = [];
    for (const one of sequence) {
      const { manifest, hash } = repository(one, rename);
      const plan = await registry.definitions.plan(manifest);
      const applied = await registry.definitions.apply(manifest, { actor: 'ann', allowBreaking: true });
      expect(applied).toMatchObject({ hash, changes: plan.changes });
      expect((await registry.definitions.plan(manifest)).changes).toEqual([]);
      expect(await registry.definitions.current()).toMatchObject({ manifest });
      for (const name of Object.keys(manifest.models)) {
        const model = await registry.models.register({ model: name, artifact: 'a', signature: {}, actor: 'ann' });
        await registry.models.setAlias(name, rename('constructor'), model.version, 'ann');
        const registered = (await registry.definitions.byHash(model.manifestHash)) ?? manifest;
        expect(versionsRead(registered, model.service)).toEqual(versionsRead(manifest, model.service));
      }
      const everyName = sequence.flatMap(({ objects }) => objects.map(rename));
      const versions = await Promise.all(
        KINDS.flatMap((kind) => everyName.map((name) => registry.definitions.objectVersions(kind, name))),
      );
      told.push(plan, versions, await registry.models.list(), await registry.endpoints.list());
    }
    return withoutHashes(asOdd(JSON.stringify(told, null, 1)));
  } finally {
    await database.close();
  }
}

// A hash is of a text with the names in it.
const withoutHashes = (text: string): string => text.replaceAll(/\b[0-9a-f]{64}\b|(?<=@)[0-9a-f]{12}\b/g, 'hash');

describe('a name that every object has', () => {
  it('is planned, applied and changed as any other name is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(names, { minLength: 1, maxLength: 3 }), async (sequence) => {
        expect(await story(sequence, (name) => name)).toBe(await story(sequence, plain));
      }),
      { numRuns: runs(40) },
    );
  });

  it.each(LABELS)('leaves out nothing where it is missing: %s', (name) => {
    const keyed = entity('keyed', { keys: { [name]: t.string() } });
    const source = parquet('s', { path: 'x', columns: { [name]: t.string(), at: t.timestamp() }, eventTime: 'at' });
    const view: Untyped = featureView('v', { entity: keyed, source, features: { f: latest(name) } } as Untyped);
    // The key is found under its own name where no column is named.
    expect(compile({ view }).manifest.views['v']?.keyColumns).toEqual([name]);
    expect(mistakesOf({ s: featureService('s', [view.as('role', {})]) })).toEqual([
      `features.ts: feature service "s": member 1: no request column for key "${name}" of entity "keyed". Write .as('role', { ${name}: '<column>' })`,
    ]);
  });

  it('is refused where no object can have it: __proto__', () => {
    const proto = '__proto__';
    const columns = { at: t.timestamp(), n: t.int32() };
    const source = (more: object): Untyped => parquet('s', { path: 'x', columns, eventTime: 'at', ...more } as Untyped);
    const reserved = /"__proto__" is reserved/;
    for (const object of [
      entity(proto, { keys: { a: t.string() } }),
      entity('e', { keys: { [proto]: t.string() } }),
      entity('e', { keys: { a: t.string() }, tags: { [proto]: 'x' } }),
      source({ columns: { ...columns, [proto]: t.int32() } }),
      source({ derive: { [proto]: [t.int32(), () => 1] } }),
      // Written as in a literal it is no member at all, but says what the object inherits.
      source({ columns: { ...columns, __proto__: t.int32() } }),
    ])
      expect(mistakesOf({ object }).join('\n')).toMatch(reserved);
    const steps = pipeline('p');
    const first: Untyped = steps.step(
      'a',
      task(() => 1),
    );
    steps.step('b', python('b.py', { args: { deep: [{ [proto]: 1 }] } }), { needs: { [proto]: first } } as Untyped);
    steps.step('c', task(() => 1) as Untyped, { foreach: grid({ [proto]: [1] }) });
    steps.step('d', task(() => 1) as Untyped, { foreach: [{ [proto]: 1 }] });
    expect(mistakesOf({ steps }).filter((mistake) => reserved.test(mistake))).toHaveLength(4);
  });
});
