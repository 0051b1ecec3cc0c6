// One contract for every online store, run on the real thing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import type {
  BaseWrite,
  Claim,
  OnlineStore,
  PartId,
  PartWrite,
  RecordRef,
  StoredRecord,
  StoreRun,
  StoreWriter,
  WantedVersion,
} from '../../src/online/online-store.ts';
import { type OnlineStorePlace, everyOnlineStoreKind } from '../support/online-stores.ts';
import { runs } from '../support/tier.ts';

const forEver = () => undefined;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (part: Uint8Array): string => Buffer.from(part).toString();
const key = (name: string): EncodedKey => encodeKey([{ kind: 'string' }], [name]) as EncodedKey;
const ref = (name: string, version = 'v@1', entity = 'thing'): RecordRef => ({ entity, version, key: key(name) });
const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

/** A part of `one` with everything else that a test does not name. */
function part(one: RecordRef, fold: string, rest: Partial<PartWrite> = {}): PartWrite {
  return { ...one, writer: 1, cut: 1, boundary: -Infinity, holder: 1, n: 1, fold: bytes(fold), ...rest };
}

/** A record as text: its base, and its parts as `writer.cut.boundary=fold`. */
function shown(record: StoredRecord | undefined) {
  if (record === undefined) return undefined;
  return {
    base: record.base === undefined ? undefined : text(record.base),
    parts: record.parts.map((one) => `${one.writer}.${one.cut}.${one.boundary}=${text(one.fold)}`),
  };
}

const read = async (store: OnlineStore, refs: readonly RecordRef[]) => (await store.read(refs)).map(shown);

/** What the store tells of rows, by row and place. */
async function readRows(
  store: OnlineStore,
  wanted: readonly WantedVersion[],
  rows: readonly (readonly (EncodedKey | undefined)[])[],
): Promise<{ readonly told: (StoredRecord | undefined)[][]; readonly aloneCount: number }> {
  const told = rows.map(() => new Array<StoredRecord | undefined>(wanted.length).fill(undefined));
  let aloneCount = 0;
  const tell = (row: number, place: number, record: StoredRecord): void => {
    expect(told[row]?.[place]).toBe(undefined);
    (told[row] as (StoredRecord | undefined)[])[place] = record;
  };
  await store.readRows(wanted, rows, {
    base(row, place, memory, from, to) {
      aloneCount++;
      tell(row, place, { base: memory.subarray(from, to), parts: [] });
    },
    record: tell,
  });
  return { told, aloneCount };
}

async function scanned(store: OnlineStore, entity: string, version: string): Promise<Map<string, StoredRecord>> {
  const found = new Map<string, StoredRecord>();
  for await (const { key: entityKey, record } of store.scan(entity, version)) {
    const name = Buffer.from(entityKey).toString('hex');
    expect(found.has(name)).toBe(false);
    found.set(name, record);
  }
  return found;
}

interface Bases {
  readonly version?: string;
  readonly run?: number;
  readonly lifetimeMs?: (entity: string) => number | undefined;
}

/** A record as the random test keeps it. */
interface Modelled {
  base?: string;
  readonly parts: Map<string, { readonly holder: number; readonly n: number; readonly fold: string }>;
}

let runNumber = 0;

/** A whole run that writes these bases at every node. */
async function writeBases(store: OnlineStore, writes: readonly BaseWrite[], bases: Bases = {}): Promise<void> {
  const { version = 'v@1', run: number = ++runNumber, lifetimeMs = forEver } = bases;
  const run = await store.run({ version, run: number, lifetimeMs, isOpen: async () => true });
  try {
    for (const node of run.nodes) {
      await run.begin(node);
      await run.write(
        node,
        writes.filter((write) => run.nodeOf(write.entity, write.key) === node),
      );
      await run.mark(node);
    }
  } finally {
    await run.close();
  }
}

async function removeAll(store: OnlineStore, entity: string, version: string): Promise<number> {
  const run = await store.run({ version, run: ++runNumber, lifetimeMs: forEver, isOpen: async () => true });
  let removed = 0;
  try {
    for (const node of run.nodes) {
      await run.begin(node);
      removed += await run.remove(node, entity);
    }
  } finally {
    await run.close();
  }
  return removed;
}

const base = (name: string, content: string, counted?: readonly PartId[]): BaseWrite => ({
  entity: 'thing',
  key: key(name),
  base: bytes(content),
  ...(counted === undefined ? {} : { counted }),
});

describe.each(everyOnlineStoreKind())('the online store on $name', ({ name: kind, prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  let writer: StoreWriter;
  const openWriter = (number: number, lifetimeMs: (entity: string) => number | undefined = forEver) =>
    store.writer({ writer: number, holder: 1, lifetimeMs, onNode() {} });
  beforeAll(async () => {
    place = await prepare();
    store = await place.open();
    writer = await openWriter(1);
  });
  afterAll(async () => {
    await writer.close();
    await store.close();
    await place.remove();
  });

  describe('reading', () => {
    it('gives base and parts in the order asked, and undefined for what never was', async () => {
      await writer.putParts([part(ref('one'), 'p1'), part(ref('two'), 'p2')]);
      await writeBases(store, [base('one', 'b1'), base('three', 'b3')]);
      expect(await read(store, [ref('two'), ref('none'), ref('one'), ref('three'), ref('one', 'w@1')])).toEqual([
        { base: undefined, parts: ['1.1.-Infinity=p2'] },
        undefined,
        { base: 'b1', parts: ['1.1.-Infinity=p1'] },
        { base: 'b3', parts: [] },
        undefined,
      ]);
      expect(await read(store, [])).toEqual([]);
    });

    it('answers without a promise where it can', () => {
      expect(store.read([ref('one')]) instanceof Promise).toBe(kind !== 'lmdb');
    });

    it('gives many views of one key, a view asked twice too', async () => {
      const versions = ['a@1', 'b@1', 'c@1', 'd@1'];
      await writer.putParts(versions.map((version) => part(ref('views', version), version)));
      const refs = [...versions, 'e@1', 'b@1'].map((version) => ref('views', version));
      expect((await read(store, refs)).map((record) => record?.parts[0])).toEqual([
        ...versions.map((version) => `1.1.-Infinity=${version}`),
        undefined,
        '1.1.-Infinity=b@1',
      ]);
    });

    it('tells of rows what it gives one by one', async () => {
      const versions = ['rows@1', 'rows@2', 'rows@3', 'rows@2'];
      const wanted = [
        ...versions.map((version) => ({ entity: 'thing', version })),
        { entity: 'other', version: 'rows@1' },
      ];
      const long = 'k'.repeat(5000);
      await writeBases(store, [base('alone', 'a1'), base(long, 'l1'), base('both', 'b1'), base('none', '')], {
        version: 'rows@1',
      });
      await writeBases(store, [base('alone', 'a2'.repeat(50_000)), base('both', 'b2')], { version: 'rows@2' });
      await writer.putParts([
        part(ref('both', 'rows@1'), 'p1'),
        part(ref('both', 'rows@1'), 'p2', { cut: 2 }),
        part(ref('both', 'rows@3'), 'p'.repeat(3000)),
        part(ref('alone', 'rows@1', 'other'), 'o1'),
      ]);
      const rows = ['alone', 'both', 'never', long, 'none', 'alone'].map((name) => wanted.map(() => key(name)));
      rows.push(wanted.map((_, at) => key(at < 2 ? 'both' : 'alone')));
      const withoutKeys = rows.map((row, at) => row.map((one, place) => ((at + place) % 4 === 0 ? undefined : one)));
      for (const asked of [rows, withoutKeys, rows.slice(2, 3), [[...wanted.keys()].map(() => undefined)], []]) {
        const { told, aloneCount } = await readRows(store, wanted, asked);
        const oneByOne: (StoredRecord | undefined)[][] = [];
        for (const row of asked) {
          const of = async (one: EncodedKey | undefined, at: number) =>
            one === undefined ? undefined : store.read([{ ...(wanted[at] as WantedVersion), key: one }]);
          oneByOne.push((await Promise.all(row.map(of))).map((records) => records?.[0]));
        }
        expect(told.map((row) => row.map(shown))).toEqual(oneByOne.map((row) => row.map(shown)));
        const alone = oneByOne.flat().filter((one) => one?.base !== undefined && one.parts.length === 0);
        expect(aloneCount).toBe(alone.length);
      }
    });

    it('tells of rows at once where it can', () => {
      const taker = { base: () => {}, record: () => {} };
      const telling = store.readRows([{ entity: 'thing', version: 'v@1' }], [[key('one')]], taker);
      expect(telling instanceof Promise).toBe(kind !== 'lmdb');
    });

    it('tells bytes that a later read does not change', async () => {
      const wanted = [{ entity: 'thing', version: 'kept@1' }];
      const names = Array.from({ length: 50 }, (_, at) => `kept ${at}`);
      const content = (name: string) => `${name} `.repeat(20);
      await writeBases(
        store,
        names.map((name) => base(name, content(name))),
        { version: 'kept@1' },
      );
      const rows = names.map((name) => [key(name)]);
      const first = await readRows(store, wanted, rows);
      for (let times = 0; times < 20; times++) await readRows(store, wanted, rows.toReversed());
      expect(first.told.map(([record]) => shown(record)?.base)).toEqual(names.map(content));
    });

    it('throws of rows what its taker throws, and goes on', async () => {
      await writeBases(store, [base('thrown', 't')], { version: 'thrown@1' });
      const wanted = [{ entity: 'thing', version: 'thrown@1' }];
      // What has a code is a store's own failure elsewhere.
      const thrown = Object.assign(new TypeError('of the taker'), { code: 'ERR_OF_TAKER' });
      const fail = (): never => {
        throw thrown;
      };
      const telling = async () => store.readRows(wanted, [[key('thrown')]], { base: fail, record: fail });
      await expect(telling()).rejects.toBe(thrown);
      expect((await readRows(store, wanted, [[key('thrown')]])).aloneCount).toBe(1);
    });

    it('gives bytes that a later read does not change', async () => {
      await writer.putParts([part(ref('long'), 'l'.repeat(3000)), part(ref('short'), 's')]);
      await writeBases(store, [base('long', 'b'.repeat(3000))]);
      const [long] = await store.read([ref('long')]);
      for (let i = 0; i < 50; i++) await store.read([ref('short'), ref('one')]);
      await writer.putParts([part(ref('long'), 'x'.repeat(3000), { n: 2 })]);
      await store.read([ref('long')]);
      expect(shown(long)).toEqual({ base: 'b'.repeat(3000), parts: [`1.1.-Infinity=${'l'.repeat(3000)}`] });
    });

    it('tells an empty base and an empty fold from none', async () => {
      await writer.putParts([part(ref('empty part'), '')]);
      await writeBases(store, [base('empty base', '')]);
      expect(await read(store, [ref('empty part'), ref('empty base')])).toEqual([
        { base: undefined, parts: ['1.1.-Infinity='] },
        { base: '', parts: [] },
      ]);
    });

    it('keeps any bytes as they are', async () => {
      const all = Uint8Array.from({ length: 1024 }, (_, index) => index % 256);
      await writer.putParts([{ ...part(ref('bytes'), ''), fold: all }]);
      await writeBases(store, [{ ...base('bytes', ''), base: all.toReversed() }]);
      const [record] = await store.read([ref('bytes')]);
      expect(Buffer.from(record?.parts[0]?.fold ?? []).equals(all)).toBe(true);
      expect(Buffer.from(record?.base ?? []).equals(all.toReversed())).toBe(true);
    });

    it('keeps apart keys, versions and entities that would collide as text', async () => {
      const composite = [{ kind: 'string' }, { kind: 'string' }] as const;
      const refs: RecordRef[] = [
        { entity: 'thing', version: 'k@1', key: encodeKey(composite, ['a', 'bc']) as EncodedKey },
        { entity: 'thing', version: 'k@1', key: encodeKey(composite, ['ab', 'c']) as EncodedKey },
        { entity: 'thingk', version: 'k@1', key: key('a') },
        { entity: 'thing', version: 'k@1', key: encodeKey([{ kind: 'int64' }], [1n]) as EncodedKey },
        ref('1', 'k@1'),
        ref('1', 'k@12'),
        ref('1', 'kk@1'),
        ref('\0k\0', 'k@1'),
        ref('x'.repeat(5000), 'k@1'),
        ref(`${'x'.repeat(4999)}y`, 'k@1'),
        ref('', 'k@1'),
        ref('né', 'k@1'),
      ];
      await writer.putParts(refs.map((one, index) => part(one, String(index))));
      const expected = refs.map((_, index) => ({ base: undefined, parts: [`1.1.-Infinity=${index}`] }));
      expect(await read(store, refs)).toEqual(expected);
      const found = await scanned(store, 'thing', 'k@1');
      const wanted = refs.flatMap((one, index) =>
        one.entity === 'thing' && one.version === 'k@1'
          ? [[Buffer.from(one.key).toString('hex'), shown({ base: undefined, parts: [part(one, String(index))] })]]
          : [],
      );
      expect(Object.fromEntries([...found].map(([hex, record]) => [hex, shown(record)]))).toEqual(
        Object.fromEntries(wanted),
      );
    });

    it('keeps projects apart', async () => {
      const other = await place.open(systemClock, 'other');
      const theirs = await other.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
      await theirs.putParts([part(ref('project'), 'theirs')]);
      await writer.putParts([part(ref('project'), 'ours')]);
      await writeBases(other, [], { version: 'project@1', run: 5 });
      const [claimed] = await theirs.claim([{ id: 'project', writer: 1, offset: 1, payloadHash: 'theirs' }]);
      expect(claimed?.payloadHash).toBe('theirs');
      expect(await writer.claims(['project'])).toEqual([undefined]);
      expect((await read(other, [ref('project')]))[0]?.parts).toEqual(['1.1.-Infinity=theirs']);
      expect((await read(store, [ref('project')]))[0]?.parts).toEqual(['1.1.-Infinity=ours']);
      expect((await store.marks('project@1')).map(({ run }) => run)).toEqual([undefined]);
      expect((await scanned(other, 'thing', 'v@1')).size).toBe(1);
      await theirs.close();
      await other.close();
    });
  });

  describe('parts', () => {
    it('keep the greater of (holder, n), whatever comes late', async () => {
      const one = ref('rising');
      const put = (holder: number, n: number) =>
        writer.putParts([part(one, `${holder}/${n}`, { holder, n, writer: 3, cut: 2, boundary: 1000 })]);
      const kept = async () => (await read(store, [one]))[0]?.parts;
      await put(1, 5);
      await put(1, 4);
      expect(await kept()).toEqual(['3.2.1000=1/5']);
      await put(1, 6);
      expect(await kept()).toEqual(['3.2.1000=1/6']);
      await put(1, 2 ** 40);
      await put(1, 2 ** 33 + 7);
      expect(await kept()).toEqual([`3.2.1000=1/${2 ** 40}`]);
      await put(2, 1);
      await put(1, 2 ** 50);
      expect(await kept()).toEqual(['3.2.1000=2/1']);
      await put(300, 0);
      await put(299, 9);
      expect(await kept()).toEqual(['3.2.1000=300/0']);
    });

    it('keep the first of two with one number', async () => {
      await writer.putParts([part(ref('same number'), 'first', { n: 7 })]);
      await writer.putParts([part(ref('same number'), 'second', { n: 7 })]);
      expect((await read(store, [ref('same number')]))[0]?.parts).toEqual(['1.1.-Infinity=first']);
    });

    it('of one record may come many times in one call', async () => {
      const one = ref('many times');
      await writer.putParts([3, 1, 9, 4].map((n) => part(one, String(n), { n })));
      expect((await read(store, [one]))[0]?.parts).toEqual(['1.1.-Infinity=9']);
    });

    it('come in order of writer, cut and boundary', async () => {
      const one = ref('order');
      const ids: PartId[] = [
        { writer: 1, cut: 2, boundary: -Infinity },
        { writer: 1, cut: 2, boundary: -(2 ** 53) },
        { writer: 1, cut: 2, boundary: -10 },
        { writer: 1, cut: 2, boundary: 0 },
        { writer: 1, cut: 2, boundary: 9 },
        { writer: 1, cut: 2, boundary: 10 },
        { writer: 1, cut: 2, boundary: 2 ** 53 },
        { writer: 1, cut: 10, boundary: -Infinity },
        { writer: 2, cut: 1, boundary: 5 },
        { writer: 10, cut: 1, boundary: 5 },
        { writer: 4_000_000_000, cut: 1, boundary: 5 },
      ];
      await writer.putParts(ids.toReversed().map((id) => part(one, 'f', id)));
      const [record] = await store.read([one]);
      expect(record?.parts.map(({ writer, cut, boundary }) => ({ writer, cut, boundary }))).toEqual(ids);
    });

    it('are written thousands in one call, over many keys and views', async () => {
      const parts = Array.from({ length: 3000 }, (_, index) =>
        part(ref(`bulk${index % 700}`, `bulk${index % 3}@1`), String(index), { cut: 1 + (index % 7), n: index + 1 }),
      );
      await writer.putParts(parts);
      const newest = new Map<string, PartWrite>();
      for (const one of parts) newest.set(`${text(one.key)} ${one.version} ${one.cut}`, one);
      const written = [...newest.values()];
      const records = await read(store, written);
      expect(
        records.every((record, at) => {
          const one = written[at] as PartWrite;
          return record?.parts.includes(`1.${one.cut}.-Infinity=${text(one.fold)}`);
        }),
      ).toBe(true);
    });

    it('put by many calls at once all arrive', async () => {
      const refs = Array.from({ length: 200 }, (_, index) => ref(`at once ${index % 20}`));
      await Promise.all(refs.map((one, index) => writer.putParts([part(one, String(index), { n: index + 1 })])));
      expect((await read(store, refs.slice(0, 20))).map((record) => record?.parts)).toEqual(
        Array.from({ length: 20 }, (_, index) => [`1.1.-Infinity=${180 + index}`]),
      );
    });
  });

  describe('claims', () => {
    const claim = (id: string, offset: number, rest: Partial<Claim> = {}): Claim => ({
      id,
      writer: 1,
      offset,
      payloadHash: `hash${offset}`,
      ...rest,
    });

    it('are held by the first, also within one call, and a repeat is told who holds them', async () => {
      const given = await writer.claim([claim('first', 1), claim('first', 2), claim('alone', 3)]);
      expect(given).toEqual([claim('first', 1), claim('first', 1), claim('alone', 3)]);
      expect(await writer.claim([claim('first', 4), claim('alone', 3)])).toEqual([
        claim('first', 1),
        claim('alone', 3),
      ]);
      expect(await writer.claim([])).toEqual([]);
    });

    it('may come thousands in one call', async () => {
      const many = Array.from({ length: 2500 }, (_, index) => claim(`many${index}`, index));
      expect(await writer.claim(many)).toEqual(many);
      const results = many.map((one) => ({ ...one, result: 'r' }));
      await writer.finish(results);
      const ids = many.map(({ id }) => id);
      expect(await writer.claims(ids)).toEqual(results);
      await writer.expire(many, 3_600_000);
    });

    it('go to one of many who ask at once', async () => {
      const other = await place.open();
      const theirs = await other.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
      const given = await Promise.all(
        Array.from({ length: 60 }, (_, index) => {
          const [who, number] = index % 2 === 0 ? [writer, 1] : [theirs, 2];
          return who.claim([claim(`raced${index % 3}`, index, { writer: number })]);
        }),
      );
      for (const id of ['raced0', 'raced1', 'raced2']) {
        const held = new Set(
          given
            .flat()
            .filter((one) => one.id === id)
            .map((one) => `${one.writer}/${one.offset}`),
        );
        expect(held.size).toBe(1);
      }
      await theirs.close();
      await other.close();
    });

    it('can be looked at without claiming', async () => {
      expect(await writer.claims(['looked'])).toEqual([undefined]);
      await writer.claim([claim('looked', 1)]);
      expect(await writer.claims(['nothing', 'looked', 'nothing'])).toEqual([undefined, claim('looked', 1), undefined]);
      expect(await writer.claims([])).toEqual([]);
    });

    it('keep their result, which only the holding entry may set', async () => {
      await writer.claim([claim('result', 1), claim('result2', 2)]);
      await writer.finish([
        claim('result', 2, { result: 'wrong offset' }),
        claim('result', 1, { writer: 2, result: 'wrong writer' }),
        claim('nobody’s', 1, { result: 'nothing to finish' }),
      ]);
      expect(await writer.claims(['result', 'nobody’s'])).toEqual([claim('result', 1), undefined]);
      const result = '{"accepted":3,"text":"né\\n"}';
      await writer.finish([claim('result', 1, { result }), claim('result2', 2, { result: '' })]);
      expect(await writer.claims(['result', 'result2'])).toEqual([
        claim('result', 1, { result }),
        claim('result2', 2, { result: '' }),
      ]);
      expect(await writer.claim([claim('result', 8)])).toEqual([claim('result', 1, { result })]);
    });

    it('are forgotten after their retention, and not without one', async () => {
      await writer.claim([claim('old', 1), claim('long', 2), claim('kept', 3)]);
      await writer.finish([claim('old', 1, { result: 'r' })]);
      await writer.expire(
        [claim('old', 1), claim('nobody’s', 1), claim('kept', 4), claim('kept', 3, { writer: 2 })],
        50,
      );
      await writer.expire([claim('long', 2)], 3_600_000);
      await expect
        .poll(async () => (await writer.claims(['old', 'long', 'kept'])).map((one) => one?.offset), { interval: 20 })
        .toEqual([undefined, 2, 3]);
      expect(await writer.claim([claim('old', 9)])).toEqual([claim('old', 9)]);
    });

    it('are seen by another process', async () => {
      await writer.claim([claim('seen', 1)]);
      const other = await place.open();
      const theirs = await other.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
      expect(await theirs.claim([claim('seen', 5, { writer: 2 })])).toEqual([claim('seen', 1)]);
      await theirs.close();
      await other.close();
    });
  });

  describe('a run', () => {
    it('writes bases blind and leaves its number as every node’s mark', async () => {
      expect((await store.marks('marked@1')).map(({ run }) => run)).toEqual([undefined]);
      await writeBases(store, [base('marked', 'one')], { version: 'marked@1', run: 3 });
      await writeBases(store, [base('marked', 'two')], { version: 'marked@1', run: 8 });
      const marks = await store.marks('marked@1');
      expect(marks.map(({ run }) => run)).toEqual([8]);
      expect((await store.marks('other@1')).map(({ run }) => run)).toEqual([undefined]);
      expect(await read(store, [ref('marked', 'marked@1')])).toEqual([{ base: 'two', parts: [] }]);
    });

    it('names its nodes as marks and writers do', async () => {
      const named: string[] = [];
      const other = await store.writer({
        writer: 4,
        holder: 1,
        lifetimeMs: forEver,
        onNode: (node) => named.push(node),
      });
      const run = await store.run({ version: 'named@1', run: 1, lifetimeMs: forEver, isOpen: async () => true });
      const marked = (await store.marks('named@1')).map(({ node }) => node);
      expect(run.nodes).toEqual(marked);
      await expect.poll(() => named).toEqual(marked);
      expect(marked).toContain(run.nodeOf('thing', key('some')));
      expect(other.nodeOf('thing', key('some'))).toBe(run.nodeOf('thing', key('some')));
      await run.close();
      await other.close();
    });

    it('deletes the parts that a base counts, and no other', async () => {
      const one = ref('counted');
      const ids = [
        { writer: 1, cut: 1, boundary: -Infinity },
        { writer: 1, cut: 1, boundary: 50 },
        { writer: 1, cut: 2, boundary: -Infinity },
        { writer: 2, cut: 1, boundary: -Infinity },
      ] as const;
      await writer.putParts([...ids.map((id) => part(one, 'f', id)), part(ref('counted', 'w@1'), 'other view')]);
      await writeBases(store, [base('counted', 'b', [ids[0], ids[1], { writer: 7, cut: 7, boundary: 7 }])]);
      expect(await read(store, [one, ref('counted', 'w@1')])).toEqual([
        { base: 'b', parts: ['1.2.-Infinity=f', '2.1.-Infinity=f'] },
        { base: undefined, parts: ['1.1.-Infinity=other view'] },
      ]);
      await writeBases(store, [base('counted', 'b2', [ids[2], ids[3]])]);
      expect(await read(store, [one])).toEqual([{ base: 'b2', parts: [] }]);
    });

    it('writes tens of thousands of bases, all there once the node is marked', async () => {
      const run = await store.run({ version: 'big@1', run: 1, lifetimeMs: forEver, isOpen: async () => true });
      const writes = Array.from({ length: 20_000 }, (_, index) => base(`big${index}`, `b${index}`));
      for (const node of run.nodes) {
        await run.begin(node);
        const own = writes.filter((write) => run.nodeOf(write.entity, write.key) === node);
        for (let from = 0; from < own.length; from += 1000) await run.write(node, own.slice(from, from + 1000));
        await run.mark(node);
      }
      await run.close();
      const refs = writes.map((_, index) => ref(`big${index}`, 'big@1'));
      const records = await store.read(refs);
      expect(records.every((record, index) => text(record?.base ?? bytes('none')) === `b${index}`)).toBe(true);
    });

    it('that is no longer open may not begin', async () => {
      const run = await store.run({ version: 'closed@1', run: 1, lifetimeMs: forEver, isOpen: async () => false });
      for (const node of run.nodes) {
        await expect(run.begin(node)).rejects.toMatchObject({ code: 'HR_MATERIALIZE_BUSY' });
        await expect(run.write(node, [base('closed', 'b')])).rejects.toThrow();
      }
      await run.close();
      expect(await read(store, [ref('closed', 'closed@1')])).toEqual([undefined]);
    });

    it('is fenced by a later one of its version: nothing of it arrives any more', async () => {
      let open = 1;
      const link = (run: number) => ({
        version: 'fenced@1',
        run,
        lifetimeMs: forEver,
        isOpen: async () => open === run,
      });
      const earlier = await store.run(link(1));
      for (const node of earlier.nodes) await earlier.begin(node);
      const node = earlier.nodeOf('thing', key('fenced'));
      await earlier.write(node, [base('fenced', 'early')]);
      await earlier.mark(node);
      open = 2;
      const other = await place.open();
      const later = await other.run(link(2));
      for (const node of later.nodes) await later.begin(node);
      await later.write(node, [base('fenced', 'late')]);
      await later.mark(node);
      const lateWrite = (async () => {
        for (let i = 0; i < 100; i++) await earlier.write(node, [base('fenced', 'ghost')]);
        await earlier.mark(node);
      })();
      await expect(lateWrite).rejects.toMatchObject({ code: 'HR_MATERIALIZE_BUSY' });
      await expect(earlier.mark(node)).rejects.toMatchObject({ code: 'HR_MATERIALIZE_BUSY' });
      await expect(earlier.begin(node)).rejects.toMatchObject({ code: 'HR_MATERIALIZE_BUSY' });
      await expect(earlier.write(node, [base('fenced', 'ghost')])).rejects.toMatchObject({
        code: 'HR_MATERIALIZE_BUSY',
      });
      await later.write(node, [base('fenced2', 'still mine')]);
      await later.mark(node);
      expect(await read(store, [ref('fenced', 'fenced@1'), ref('fenced2', 'fenced@1')])).toEqual([
        { base: 'late', parts: [] },
        { base: 'still mine', parts: [] },
      ]);
      expect((await store.marks('fenced@1')).map(({ run }) => run)).toEqual([2]);
      await Promise.all([earlier.close(), later.close()]);
      await other.close();
    });

    it('is not fenced by a run of another version, nor of another project', async () => {
      const link = (version: string, run: number) => ({ version, run, lifetimeMs: forEver, isOpen: async () => true });
      const mine = await store.run(link('apart@1', 1));
      for (const node of mine.nodes) await mine.begin(node);
      const foreign = await place.open(systemClock, 'foreign');
      const others: StoreRun[] = [
        await store.run(link('apart@12', 5)),
        await store.run(link('apar', 5)),
        await foreign.run(link('apart@1', 5)),
      ];
      for (const other of others) for (const node of other.nodes) await other.begin(node);
      const node = mine.nodeOf('thing', key('apart'));
      await mine.write(node, [base('apart', 'b')]);
      await mine.mark(node);
      await Promise.all([mine, ...others].map((run) => run.close()));
      await foreign.close();
      expect(await read(store, [ref('apart', 'apart@1')])).toEqual([{ base: 'b', parts: [] }]);
    });

    it('may begin a node anew', async () => {
      const run = await store.run({ version: 'again@1', run: 1, lifetimeMs: forEver, isOpen: async () => true });
      const node = run.nodeOf('thing', key('again'));
      await run.begin(node);
      await run.write(node, [base('again', 'first')]);
      await run.begin(node);
      await run.write(node, [base('again', 'second')]);
      await run.mark(node);
      await run.close();
      expect(await read(store, [ref('again', 'again@1')])).toEqual([{ base: 'second', parts: [] }]);
    });
  });

  describe('a writer', () => {
    it('goes on while others are fenced, and a later holder goes on after the fence', async () => {
      await store.fenceWriter(5, 2);
      const heir = await store.writer({ writer: 5, holder: 2, lifetimeMs: forEver, onNode() {} });
      await heir.putParts([part(ref('heir'), 'f', { writer: 5, holder: 2 })]);
      await writer.putParts([part(ref('heir'), 'g')]);
      expect((await read(store, [ref('heir')]))[0]?.parts).toEqual(['1.1.-Infinity=g', '5.1.-Infinity=f']);
      await heir.close();
    });
  });

  it('scans every record of a version and no other, each once', async () => {
    const refs = Array.from({ length: 700 }, (_, index) => ref(`scan${index}`, 'scanned@1', 'scans'));
    const isBase = (index: number) => index % 3 !== 0;
    const isPart = (index: number) => index % 3 !== 1;
    await writer.putParts(refs.flatMap((one, index) => (isPart(index) ? [part(one, `p${index}`)] : [])));
    await writer.putParts([part(ref('not it', 'scanned@12', 'scans'), 'x'), part(ref('nor it', 'scanned@1'), 'x')]);
    await writeBases(
      store,
      refs.flatMap((one, index) => (isBase(index) ? [{ ...one, base: bytes(`b${index}`) }] : [])),
      { version: 'scanned@1' },
    );
    const found = await scanned(store, 'scans', 'scanned@1');
    expect(found.size).toBe(700);
    expect(refs.map((one) => shown(found.get(Buffer.from(one.key).toString('hex'))))).toEqual(
      refs.map((_, index) => ({
        base: isBase(index) ? `b${index}` : undefined,
        parts: isPart(index) ? [`1.1.-Infinity=p${index}`] : [],
      })),
    );
    expect((await scanned(store, 'scans', 'none@1')).size).toBe(0);
    expect((await scanned(store, 'no such', 'scanned@1')).size).toBe(0);
  });

  it('removes a version with its marks, and no other', async () => {
    const refs = Array.from({ length: 700 }, (_, index) => ref(`gone${index}`, 'gone@1', 'goes'));
    const stays = refs.map((one) => ({ ...one, version: 'gone@12' }));
    await writer.putParts([...refs, ...stays.slice(0, 300)].map((one) => part(one, 'p'.repeat(2000))));
    await writeBases(
      store,
      refs.slice(350).map((one) => ({ ...one, base: bytes('b') })),
      { version: 'gone@1' },
    );
    await writeBases(
      store,
      stays.slice(200).map((one) => ({ ...one, base: bytes('b') })),
      { version: 'gone@12' },
    );
    expect(await removeAll(store, 'goes', 'gone@1')).toBe(700);
    expect((await scanned(store, 'goes', 'gone@1')).size).toBe(0);
    expect((await read(store, refs.slice(0, 3))).every((record) => record === undefined)).toBe(true);
    expect((await store.marks('gone@1')).every(({ run }) => run === undefined)).toBe(true);
    expect((await scanned(store, 'goes', 'gone@12')).size).toBe(700);
    expect((await store.marks('gone@12')).every(({ run }) => run === undefined)).toBe(false);
    expect(await removeAll(store, 'goes', 'gone@1')).toBe(0);
    // It may come back.
    await writer.putParts([part(refs[0] as (typeof refs)[number], 'again')]);
    expect((await scanned(store, 'goes', 'gone@1')).size).toBe(1);
  });

  it('removes nothing of a version once a later run has it, and then lets no earlier one write', async () => {
    const refs = Array.from({ length: 40 }, (_, index) => ref(`back${index}`, 'back@1', 'comes'));
    const write = (content: string) => refs.map((one) => ({ ...one, base: bytes(content) }));
    const link = (run: number) => ({ version: 'back@1', run, lifetimeMs: forEver, isOpen: async () => true });
    const cutOff = { code: expect.stringMatching(/^HR_(MATERIALIZE_BUSY|ONLINE_UNAVAILABLE)$/) };
    const early = await store.run(link(++runNumber));
    const [node] = early.nodes;
    if (node === undefined) throw new Error('a store has a node');
    await early.begin(node);
    const removing = await store.run(link(++runNumber));
    await expect(early.mark(node)).rejects.toMatchObject(cutOff);
    await removing.begin(node);
    await writeBases(store, write('late'), { version: 'back@1' });
    await expect(removing.remove(node, 'comes')).rejects.toMatchObject(cutOff);
    expect((await scanned(store, 'comes', 'back@1')).size).toBe(40);
    await early.close();
    await removing.close();
  });

  it('shows another process what was acknowledged', async () => {
    const other = await place.open();
    const theirs = await other.writer({ writer: 2, holder: 1, lifetimeMs: forEver, onNode() {} });
    await theirs.putParts([part(ref('shared'), 'theirs', { writer: 2 })]);
    expect((await read(store, [ref('shared')]))[0]?.parts).toEqual(['2.1.-Infinity=theirs']);
    await writeBases(other, [base('shared', 'b')]);
    expect(await read(store, [ref('shared')])).toEqual([{ base: 'b', parts: ['2.1.-Infinity=theirs'] }]);
    await theirs.close();
    await other.close();
  });

  it('forgets a record past its lifetime, and no other; a write gives it a new one', async () => {
    const lifetimes: Record<string, number> = { brief: 150, long: 3_600_000 };
    const mortal = await openWriter(6, (entity) => lifetimes[entity]);
    const pushed = ['brief', 'long', 'ever'].map((entity) => ref('mortal', 'm@1', entity));
    const ran = ['brief', 'long', 'ever'].map((entity) => ref('based', 'm@1', entity));
    const renewed = ref('renewed', 'm@1', 'brief');
    await mortal.putParts([...pushed, renewed].map((one) => part(one, 'f', { writer: 6 })));
    await writeBases(
      store,
      ran.map((one) => ({ ...one, base: bytes('b') })),
      { version: 'm@1', lifetimeMs: (entity) => lifetimes[entity] },
    );
    let n = 1;
    await expect
      .poll(
        async () => {
          await mortal.putParts([part(renewed, 'f', { writer: 6, n: ++n })]);
          await store.removeExpired(systemClock.nowMicros());
          return (await store.read([...pushed, ...ran, renewed])).map((record) => record !== undefined);
        },
        { interval: 20, timeout: 5000 },
      )
      .toEqual([false, true, true, false, true, true, true]);
    await mortal.close();
  });

  it('agrees with a map through random writes', async () => {
    const keys = ['k0', 'k1', 'k2'];
    const versions = ['r@1', 'r@2'];
    const id = fc.record({
      writer: fc.integer({ min: 1, max: 2 }),
      cut: fc.integer({ min: 1, max: 2 }),
      boundary: fc.constantFrom(-Infinity, -5, 7),
    });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('parts' as const),
        parts: fc.array(
          fc.record({
            key: fc.constantFrom(...keys),
            version: fc.constantFrom(...versions),
            id,
            holder: fc.integer({ min: 1, max: 2 }),
            n: fc.integer({ min: 0, max: 5 }),
            fold: fc.string({ maxLength: 4 }),
          }),
          { maxLength: 6 },
        ),
      }),
      fc.record({
        kind: fc.constant('bases' as const),
        version: fc.constantFrom(...versions),
        bases: fc.array(
          fc.record({ key: fc.constantFrom(...keys), base: fc.string({ maxLength: 4 }), counted: fc.array(id) }),
          { maxLength: 4 },
        ),
      }),
    );
    let history = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const entity = `random${history++}`;
        const model = new Map<string, Modelled>();
        const at = (name: string, version: string) => {
          const place = `${name} ${version}`;
          const record: Modelled = model.get(place) ?? { parts: new Map() };
          model.set(place, record);
          return record;
        };
        const idText = (one: PartId) => `${one.writer}.${one.cut}.${one.boundary}`;
        for (const one of steps) {
          if (one.kind === 'parts') {
            await writer.putParts(
              one.parts.map((p) => part(ref(p.key, p.version, entity), p.fold, { ...p.id, holder: p.holder, n: p.n })),
            );
            for (const p of one.parts) {
              const { parts } = at(p.key, p.version);
              const old = parts.get(idText(p.id));
              if (old === undefined || p.holder > old.holder || (p.holder === old.holder && p.n > old.n))
                parts.set(idText(p.id), p);
            }
          } else {
            const writes = one.bases.map((b) => ({ ...base(b.key, b.base, b.counted), entity }));
            await writeBases(store, writes, { version: one.version });
            for (const b of one.bases) {
              const record = at(b.key, one.version);
              record.base = b.base;
              for (const counted of b.counted) record.parts.delete(idText(counted));
            }
          }
        }
        for (const version of versions) {
          const expected = keys.map((name) => {
            const record = model.get(`${name} ${version}`);
            if (record === undefined || (record.base === undefined && record.parts.size === 0)) return undefined;
            return {
              base: record.base,
              parts: [...record.parts].map(([name, { fold }]) => `${name}=${fold}`).sort(),
            };
          });
          const got = await read(
            store,
            keys.map((name) => ref(name, version, entity)),
          );
          for (const record of got) record?.parts.sort();
          expect(got).toEqual(expected);
          expect((await scanned(store, entity, version)).size).toBe(expected.filter(Boolean).length);
        }
      }),
      { numRuns: runs(25) },
    );
  });

  it('survives kill -9 between two writes', async () => {
    const child = spawn(process.execPath, [script('append-records.ts'), place.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = -1;
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').at(-1));
      if (acknowledged >= 30) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    await writer.close();
    if (place.server !== undefined) {
      await place.server.kill();
      await place.server.start();
    }
    await store.close();
    store = await place.open();
    writer = await openWriter(1);
    expect(acknowledged).toBeGreaterThanOrEqual(30);
    for (let number = 0; number <= acknowledged; number++) {
      const entityKey = encodeKey([{ kind: 'int64' }], [BigInt(number)]) as EncodedKey;
      const [record] = await store.read([{ entity: 'killed', version: 'killed@1', key: entityKey }]);
      const expected = Buffer.alloc(200, number % 256);
      for (const found of [record?.base, record?.parts[0]?.fold]) {
        expect(Buffer.compare(Buffer.from(found ?? []), expected)).toBe(0);
      }
    }
    expect((await store.marks('killed@1')).map(({ run }) => run)).toEqual([1]);
  });
});
