// One contract for every online store, run on the real thing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { FIRST_NUMBER, LOG_MARKS } from '../../src/online/part-number.ts';
import type {
  BaseWrite,
  Claim,
  OnlineStore,
  PartId,
  PartWrite,
  RecordRef,
  StoredRecord,
  StoreWriter,
  WantedVersion,
} from '../../src/online/online-store.ts';
import { type OnlineStorePlace, everyOnlineStoreKind } from '../support/online-stores.ts';
import { baseOf, forEver, openRun, partOf as part, refOf as ref, writeAll } from '../support/online-writes.ts';
import { refused } from '../support/refused.ts';
import { runs } from '../support/tier.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const key = (name: string): EncodedKey => ref(name).key;
const base = (name: string, content: string, counted?: readonly PartId[]): BaseWrite => ({
  ...baseOf(ref(name), content),
  ...(counted === undefined ? {} : { counted }),
});
const BUSY = { code: 'HR_MATERIALIZE_BUSY' };

/** A record as text: its base, and its parts as `writer.cut.boundary=fold`. */
function shown(record: StoredRecord | undefined) {
  if (record === undefined) return undefined;
  return {
    base: record.base === undefined ? undefined : text(record.base),
    parts: record.parts.map((one) => `${one.writer}.${one.cut}.${one.boundary}=${text(one.fold)}`),
  };
}
const read = async (store: OnlineStore, refs: readonly RecordRef[]) => (await store.read(refs)).map(shown);
const runsMarked = async (store: OnlineStore, version: string) => (await store.marks(version)).map(({ run }) => run);

/** What the store tells of rows, by row and place. */
async function readRows(
  store: OnlineStore,
  wanted: readonly WantedVersion[],
  rows: readonly (readonly (EncodedKey | undefined)[])[],
) {
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

/** Each record of a version, by its key. */
async function scanned(store: OnlineStore, entity: string, version: string): Promise<Map<string, StoredRecord>> {
  const found = new Map<string, StoredRecord>();
  for await (const { key: entityKey, record } of store.scan(entity, version)) {
    const name = Buffer.from(entityKey).toString('hex');
    expect(found.has(name)).toBe(false);
    found.set(name, record);
  }
  return found;
}

/** A record as the random test keeps it. */
interface Modelled {
  base?: string;
  readonly parts: Map<string, { readonly holder: number; readonly n: number; readonly fold: string }>;
}

let runNumber = 0;
/** A whole run that writes these bases at every node. */
async function writeBases(store: OnlineStore, writes: readonly BaseWrite[], version = 'v@1', number = ++runNumber) {
  const run = await openRun(store, number, version);
  try {
    await writeAll(run, writes);
  } finally {
    await run.close();
  }
}

async function removeAll(store: OnlineStore, entity: string, version: string): Promise<number> {
  const run = await openRun(store, ++runNumber, version, true, entity);
  let removed = 0;
  for (const node of run.nodes) {
    await run.begin(node);
    removed += await run.remove(node);
  }
  await run.close();
  return removed;
}

describe.each(everyOnlineStoreKind())('the online store on $name', ({ name: kind, prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  let writer: StoreWriter;
  const openWriter = (number: number, of = store, lifetimeMs: (entity: string) => number | undefined = forEver) =>
    of.writer({ writer: number, holder: 1, lifetimeMs, onNode() {} });
  /** Another process, with writer 2. */
  const elsewhere = async (project?: string) => {
    const other = await place.open(systemClock, project);
    const theirs = await openWriter(2, other);
    onTestFinished(async () => {
      await theirs.close();
      await other.close();
    });
    return { other, theirs };
  };
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
    it('gives base and parts in the order asked, many views of a key, one asked twice, and undefined for none', async () => {
      await writer.putParts([part(ref('one'), 'p1'), part(ref('two'), 'p2'), part(ref('one', 'x@1'), 'px')]);
      await writeBases(store, [base('one', 'b1'), base('three', 'b3')]);
      const one = { base: 'b1', parts: ['1.1.-Infinity=p1'] };
      const names = [
        ref('two'),
        ref('none'),
        ref('one'),
        ref('three'),
        ref('one', 'w@1'),
        ref('one', 'x@1'),
        ref('one'),
      ];
      expect(await read(store, names)).toEqual([
        { base: undefined, parts: ['1.1.-Infinity=p2'] },
        undefined,
        one,
        { base: 'b3', parts: [] },
        undefined,
        { base: undefined, parts: ['1.1.-Infinity=px'] },
        one,
      ]);
      expect(await read(store, [])).toEqual([]);
    });

    it('answers without a promise where it can', () => {
      expect(store.read([ref('one')]) instanceof Promise).toBe(kind !== 'lmdb');
      const taker = { base: () => {}, record: () => {} };
      const telling = store.readRows([{ entity: 'thing', version: 'v@1' }], [[key('one')]], taker);
      expect(telling instanceof Promise).toBe(kind !== 'lmdb');
    });

    it('tells of rows what it gives one by one', async () => {
      const versions = ['rows@1', 'rows@2', 'rows@3', 'rows@2'];
      const wanted: WantedVersion[] = versions.map((version) => ({ entity: 'thing', version }));
      wanted.push({ entity: 'other', version: 'rows@1' });
      const long = 'k'.repeat(5000);
      const first = [base('alone', 'a1'), base(long, 'l1'), base('both', 'b1'), base('none', '')];
      await writeBases(store, first, 'rows@1');
      await writeBases(store, [base('alone', 'a2'.repeat(50_000)), base('both', 'b2')], 'rows@2');
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

    it('throws of rows what its taker throws, and goes on', async () => {
      await writeBases(store, [base('thrown', 't')], 'thrown@1');
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

    it('gives and tells bytes that a later read does not change', async () => {
      const names = Array.from({ length: 50 }, (_, at) => `kept ${at}`);
      const content = (name: string) => `${name} `.repeat(20);
      await writeBases(
        store,
        names.map((name) => base(name, content(name))),
        'kept@1',
      );
      const [wanted, rows] = [[{ entity: 'thing', version: 'kept@1' }], names.map((name) => [key(name)])];
      const first = await readRows(store, wanted, rows);
      for (let times = 0; times < 20; times++) await readRows(store, wanted, rows.toReversed());
      expect(first.told.map(([record]) => shown(record)?.base)).toEqual(names.map(content));

      await writer.putParts([part(ref('long'), 'l'.repeat(3000)), part(ref('short'), 's')]);
      await writeBases(store, [base('long', 'b'.repeat(3000))]);
      const [long] = await store.read([ref('long')]);
      for (let i = 0; i < 50; i++) await store.read([ref('short'), ref('one')]);
      await writer.putParts([part(ref('long'), 'x'.repeat(3000), { n: 2 })]);
      await store.read([ref('long')]);
      expect(shown(long)).toEqual({ base: 'b'.repeat(3000), parts: [`1.1.-Infinity=${'l'.repeat(3000)}`] });
    });

    it('keeps any bytes as they are, and an empty base and an empty fold apart from none', async () => {
      const all = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));
      await writer.putParts([part(ref('bytes'), '', { fold: all }), part(ref('empty part'), '')]);
      await writeBases(store, [{ ...base('bytes', ''), base: all.toReversed() }, base('empty base', '')]);
      const [record] = await store.read([ref('bytes')]);
      expect(Buffer.from(record?.parts[0]?.fold ?? []).equals(all)).toBe(true);
      expect(Buffer.from(record?.base ?? []).equals(all.toReversed())).toBe(true);
      expect(await read(store, [ref('empty part'), ref('empty base')])).toEqual([
        { base: undefined, parts: ['1.1.-Infinity='] },
        { base: '', parts: [] },
      ]);
    });

    it('keeps apart keys, versions and entities that would collide as text', async () => {
      const composite = [{ kind: 'string' }, { kind: 'string' }] as const;
      const ofKey = (encoded: EncodedKey | undefined) => ({ ...ref('', 'k@1'), key: encoded as EncodedKey });
      const refs: RecordRef[] = [
        ofKey(encodeKey(composite, ['a', 'bc'])),
        ofKey(encodeKey(composite, ['ab', 'c'])),
        ref('a', 'k@1', 'thingk'),
        ofKey(encodeKey([{ kind: 'int64' }], [1n])),
        ...['k@1', 'k@12', 'kk@1'].map((version) => ref('1', version)),
        ...['\0k\0', 'x'.repeat(5000), `${'x'.repeat(4999)}y`, '', 'né'].map((name) => ref(name, 'k@1')),
      ];
      await writer.putParts(refs.map((one, index) => part(one, String(index))));
      const expected = refs.map((_, index) => ({ base: undefined, parts: [`1.1.-Infinity=${index}`] }));
      expect(await read(store, refs)).toEqual(expected);
      const found = await scanned(store, 'thing', 'k@1');
      const own = refs.flatMap(({ entity, version, key }, index) =>
        entity === 'thing' && version === 'k@1' ? [[Buffer.from(key).toString('hex'), expected[index]] as const] : [],
      );
      expect(new Map([...found].map(([hex, record]) => [hex, shown(record)]))).toEqual(new Map(own));
    });

    it('keeps projects apart', async () => {
      const { other, theirs } = await elsewhere('other');
      await theirs.putParts([part(ref('project'), 'theirs')]);
      await writer.putParts([part(ref('project'), 'ours')]);
      await writeBases(other, [], 'project@1', 5);
      const [claimed] = await theirs.claim([{ id: 'project', writer: 1, offset: 1, payloadHash: 'theirs' }]);
      expect(claimed?.payloadHash).toBe('theirs');
      expect(await writer.claims(['project'])).toEqual([undefined]);
      expect((await read(other, [ref('project')]))[0]?.parts).toEqual(['1.1.-Infinity=theirs']);
      expect((await read(store, [ref('project')]))[0]?.parts).toEqual(['1.1.-Infinity=ours']);
      expect(await runsMarked(store, 'project@1')).toEqual([undefined]);
      expect((await scanned(other, 'thing', 'v@1')).size).toBe(1);
    });
  });

  describe('parts', () => {
    it('keep the greater of (holder, n), whatever comes late, and the first of two with one number', async () => {
      const one = ref('rising');
      const id = { writer: 3, cut: 2, boundary: 1000 };
      let puts = 0;
      for (const [holder, n, isKept] of [
        [1, 5, true],
        [1, 4, false],
        [1, 5, false],
        [1, 6, true],
        [1, 2 ** 40, true],
        [1, 2 ** 33 + 7, false],
        [2, 1, true],
        [1, 2 ** 50, false],
        [300, 0, true],
        [299, 9, false],
      ] as const) {
        const before = (await read(store, [one]))[0]?.parts;
        const fold = `${holder}/${n} ${++puts}`;
        await writer.putParts([part(one, fold, { holder, n, ...id })]);
        expect((await read(store, [one]))[0]?.parts).toEqual(isKept ? [`3.2.1000=${fold}`] : before);
      }
      await writer.putParts([3, 1, 9, 4].map((n) => part(ref('many times'), String(n), { n })));
      expect((await read(store, [ref('many times')]))[0]?.parts).toEqual(['1.1.-Infinity=9']);
    });

    it('come in order of writer, cut and boundary', async () => {
      const one = ref('order');
      const idsOf = (writer: number, cut: number, ...boundaries: number[]): PartId[] =>
        boundaries.map((boundary) => ({ writer, cut, boundary }));
      const ids: PartId[] = [
        ...idsOf(1, 2, -Infinity, -(2 ** 53), -10, 0, 9, 10, 2 ** 53),
        ...idsOf(1, 10, -Infinity),
        ...[2, 10, 4_000_000_000].flatMap((writer) => idsOf(writer, 1, 5)),
      ];
      await writer.putParts(ids.toReversed().map((id) => part(one, 'f', id)));
      const [record] = await store.read([one]);
      expect(record?.parts.map(({ writer, cut, boundary }) => ({ writer, cut, boundary }))).toEqual(ids);
    });

    it('are written thousands in one call, over many keys and views, and by many calls at once', async () => {
      const parts = Array.from({ length: 3000 }, (_, index) =>
        part(ref(`bulk${index % 700}`, `bulk${index % 3}@1`), String(index), { cut: 1 + (index % 7), n: index + 1 }),
      );
      await writer.putParts(parts);
      const newest = new Map<string, PartWrite>();
      for (const one of parts) newest.set(`${text(one.key)} ${one.version} ${one.cut}`, one);
      const written = [...newest.values()];
      const wanted = written.map(({ cut, fold }) => `1.${cut}.-Infinity=${text(fold)}`);
      const records = await read(store, written);
      expect(records.every((record, at) => record?.parts.includes(wanted[at] as string))).toBe(true);

      const refs = Array.from({ length: 200 }, (_, index) => ref(`at once ${index % 20}`));
      await Promise.all(refs.map((one, index) => writer.putParts([part(one, String(index), { n: index + 1 })])));
      expect((await read(store, refs.slice(0, 20))).map((record) => record?.parts)).toEqual(
        Array.from({ length: 20 }, (_, index) => [`1.1.-Infinity=${180 + index}`]),
      );
    });
  });

  describe('claims', () => {
    const claim = (id: string, offset: number, rest: Partial<Claim> = {}): Claim => {
      return { id, writer: 1, offset, payloadHash: `hash${offset}`, ...rest };
    };

    it('are held by the first, also within one call, and a repeat is told who holds them', async () => {
      const given = await writer.claim([claim('first', 1), claim('first', 2), claim('alone', 3)]);
      expect(given).toEqual([claim('first', 1), claim('first', 1), claim('alone', 3)]);
      const again = await writer.claim([claim('first', 4), claim('alone', 3)]);
      expect(again).toEqual([claim('first', 1), claim('alone', 3)]);
      expect(await writer.claim([])).toEqual([]);
    });

    it('may come thousands in one call', async () => {
      const many = Array.from({ length: 2500 }, (_, index) => claim(`many${index}`, index));
      expect(await writer.claim(many)).toEqual(many);
      const results = many.map((one) => ({ ...one, result: 'r' }));
      await writer.finish(results);
      expect(await writer.claims(many.map(({ id }) => id))).toEqual(results);
      await writer.expire(many, 3_600_000);
    });

    it('go to one of many who ask at once, of several processes', async () => {
      const { theirs } = await elsewhere();
      const asked = Array.from({ length: 60 }, (_, index) => {
        const [who, number] = index % 2 === 0 ? [writer, 1] : [theirs, 2];
        return who.claim([claim(`raced${index % 3}`, index, { writer: number })]);
      });
      const given = (await Promise.all(asked)).flat();
      for (const raced of ['raced0', 'raced1', 'raced2']) {
        const own = given.filter(({ id }) => id === raced);
        expect(new Set(own.map(({ writer, offset }) => `${writer}/${offset}`)).size).toBe(1);
      }
    });

    it('that are given up are free for others, and not for their entry, also where its claim comes late', async () => {
      await writer.claim([claim('given up', 1), claim('another’s', 2)]);
      await writer.release([claim('given up', 1), claim('another’s', 1), claim('never claimed', 1)]);
      expect(await writer.claims(['given up', 'another’s', 'never claimed'])).toEqual([
        undefined,
        claim('another’s', 2),
        undefined,
      ]);
      expect(await writer.claim([claim('given up', 3)])).toEqual([claim('given up', 3)]);
      await writer.claim([claim('given up', 1)]);
      await writer.release([claim('given up', 1)]);
      expect(await writer.claims(['given up'])).toEqual([claim('given up', 3)]);
    });

    it('say what they survive, also those that are another’s or only looked at', async () => {
      const told: unknown[] = [];
      const tell = (index: number, durable: object) => (told[index] = Object.keys(durable));
      await writer.claim([claim('safe', 1), claim('safe', 2)], tell);
      await writer.claims(['safe', 'nobody’s', 'safe'], tell);
      expect(told).toEqual(Array.from({ length: 3 }, () => ['disk', 'replicas']));
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
      const results = [
        claim('result', 1, { result: '{"accepted":3,"text":"né\\n"}' }),
        claim('result2', 2, { result: '' }),
      ];
      await writer.finish(results);
      expect(await writer.claims(['result', 'result2'])).toEqual(results);
      expect(await writer.claim([claim('result', 8)])).toEqual(results.slice(0, 1));
    });

    it('are forgotten after their retention, and not without one', async () => {
      await writer.claim([claim('old', 1), claim('long', 2), claim('kept', 3)]);
      await writer.finish([claim('old', 1, { result: 'r' })]);
      const others = [claim('nobody’s', 1), claim('kept', 4), claim('kept', 3, { writer: 2 })];
      await writer.expire([claim('old', 1), ...others], 50);
      await writer.expire([claim('long', 2)], 3_600_000);
      const offsets = async () => (await writer.claims(['old', 'long', 'kept'])).map((one) => one?.offset);
      await expect.poll(offsets, { interval: 20 }).toEqual([undefined, 2, 3]);
      expect(await writer.claim([claim('old', 9)])).toEqual([claim('old', 9)]);
    });
  });

  describe('a run', () => {
    it('writes bases blind and leaves its number as every node’s mark', async () => {
      expect(await runsMarked(store, 'marked@1')).toEqual([undefined]);
      await writeBases(store, [base('marked', 'one')], 'marked@1', 3);
      await writeBases(store, [base('marked', 'two')], 'marked@1', 8);
      expect(await runsMarked(store, 'marked@1')).toEqual([8]);
      expect(await runsMarked(store, 'other@1')).toEqual([undefined]);
      expect(await read(store, [ref('marked', 'marked@1')])).toEqual([{ base: 'two', parts: [] }]);
    });

    it('names its nodes as marks and writers do', async () => {
      const named: string[] = [];
      const onNode = (node: string) => void named.push(node);
      const other = await store.writer({ writer: 4, holder: 1, lifetimeMs: forEver, onNode });
      const run = await openRun(store, 1, 'named@1');
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
      const run = await openRun(store, 1, 'big@1');
      const writes = Array.from({ length: 20_000 }, (_, index) => base(`big${index}`, `b${index}`));
      for (const node of run.nodes) {
        await run.begin(node);
        const own = writes.filter((write) => run.nodeOf(write.entity, write.key) === node);
        for (let from = 0; from < own.length; from += 1000) await run.write(node, own.slice(from, from + 1000));
        await run.mark(node);
      }
      await run.close();
      const records = await store.read(writes.map((_, index) => ref(`big${index}`, 'big@1')));
      expect(records.every((record, index) => text(record?.base ?? Buffer.of(0)) === `b${index}`)).toBe(true);
    });

    it('that is no longer open may not begin', async () => {
      const run = await openRun(store, 1, 'closed@1', false);
      for (const node of run.nodes) {
        await expect(run.begin(node)).rejects.toMatchObject(BUSY);
        await refused(run.write(node, [base('closed', 'b')]), 'HR_MATERIALIZE_BUSY');
      }
      await run.close();
      expect(await read(store, [ref('closed', 'closed@1')])).toEqual([undefined]);
    });

    it('is fenced by a later one of its version: nothing of it arrives any more', async () => {
      let open = 1;
      const link = (run: number) => {
        return { version: 'fenced@1', run, entity: 'thing', lifetimeMs: forEver, isOpen: async () => open === run };
      };
      const earlier = await store.run(link(1));
      for (const node of earlier.nodes) await earlier.begin(node);
      const node = earlier.nodeOf('thing', key('fenced'));
      await earlier.write(node, [base('fenced', 'early')]);
      await earlier.mark(node);
      open = 2;
      const { other } = await elsewhere();
      const later = await other.run(link(2));
      for (const node of later.nodes) await later.begin(node);
      await later.write(node, [base('fenced', 'late')]);
      await later.mark(node);
      const ghost = () => earlier.write(node, [base('fenced', 'ghost')]);
      const lateWrite = (async () => {
        for (let i = 0; i < 100; i++) await ghost();
        await earlier.mark(node);
      })();
      await expect(lateWrite).rejects.toMatchObject(BUSY);
      for (const late of [() => earlier.mark(node), () => earlier.begin(node), ghost])
        await expect(late()).rejects.toMatchObject(BUSY);
      await later.write(node, [base('fenced2', 'still mine')]);
      await later.mark(node);
      expect(await read(store, [ref('fenced', 'fenced@1'), ref('fenced2', 'fenced@1')])).toEqual([
        { base: 'late', parts: [] },
        { base: 'still mine', parts: [] },
      ]);
      expect(await runsMarked(store, 'fenced@1')).toEqual([2]);
      await Promise.all([earlier.close(), later.close()]);
    });

    it('that a later one fences while it looks whether it is still open writes nothing', async () => {
      let open = 1;
      const takeOver = async (): Promise<void> => {
        const link = { version: 'passed@1', run: 2, entity: 'thing', lifetimeMs: forEver, isOpen: async () => true };
        const later = await store.run(link);
        open = 2;
        for (const node of later.nodes) {
          await later.begin(node);
          await later.write(node, later.nodeOf('thing', key('passed')) === node ? [base('passed', 'late')] : []);
          await later.mark(node);
        }
        await later.close();
      };
      const isOpen = async (): Promise<boolean> => {
        if (open === 2) return false;
        await takeOver();
        // As it was when it was asked.
        return true;
      };
      const earlier = await store.run({ version: 'passed@1', run: 1, entity: 'thing', lifetimeMs: forEver, isOpen });
      const node = earlier.nodeOf('thing', key('passed'));
      const writing = async (): Promise<void> => {
        await earlier.begin(node);
        await earlier.write(node, [base('passed', 'ghost')]);
        await earlier.mark(node);
      };
      await expect(writing()).rejects.toThrow();
      expect(await read(store, [ref('passed', 'passed@1')])).toEqual([{ base: 'late', parts: [] }]);
      expect(await runsMarked(store, 'passed@1')).toEqual([2]);
      await earlier.close();
    });

    it('is not fenced by a run of another version, nor of another project', async () => {
      const mine = await openRun(store, 1, 'apart@1');
      for (const node of mine.nodes) await mine.begin(node);
      const { other } = await elsewhere('foreign');
      const others = [
        await openRun(store, 5, 'apart@12'),
        await openRun(store, 5, 'apar'),
        await openRun(other, 5, 'apart@1'),
      ];
      for (const run of others) for (const node of run.nodes) await run.begin(node);
      const node = mine.nodeOf('thing', key('apart'));
      await mine.write(node, [base('apart', 'b')]);
      await mine.mark(node);
      await Promise.all([mine, ...others].map((run) => run.close()));
      expect(await read(store, [ref('apart', 'apart@1')])).toEqual([{ base: 'b', parts: [] }]);
    });

    it('may begin a node anew', async () => {
      const run = await openRun(store, 1, 'again@1');
      const node = run.nodeOf('thing', key('again'));
      for (const content of ['first', 'second']) {
        await run.begin(node);
        await run.write(node, [base('again', content)]);
      }
      await run.mark(node);
      await run.close();
      expect(await read(store, [ref('again', 'again@1')])).toEqual([{ base: 'second', parts: [] }]);
    });
  });

  it('a writer goes on while others are fenced, and a later holder goes on after the fence', async () => {
    await store.fenceWriter(5, 2);
    const heir = await store.writer({ writer: 5, holder: 2, lifetimeMs: forEver, onNode() {} });
    await heir.putParts([part(ref('heir'), 'f', { writer: 5, holder: 2 })]);
    await writer.putParts([part(ref('heir'), 'g')]);
    expect((await read(store, [ref('heir')]))[0]?.parts).toEqual(['1.1.-Infinity=g', '5.1.-Infinity=f']);
    await heir.close();
  });

  it('scans every record of a version and no other, each once', async () => {
    const refs = Array.from({ length: 700 }, (_, index) => ref(`scan${index}`, 'scanned@1', 'scans'));
    const expected = refs.map((_, index) => ({
      base: index % 3 !== 0 ? `b${index}` : undefined,
      parts: index % 3 !== 1 ? [`1.1.-Infinity=p${index}`] : [],
    }));
    await writer.putParts(refs.map((one, index) => part(one, `p${index}`)).filter((_, index) => index % 3 !== 1));
    await writer.putParts([part(ref('not it', 'scanned@12', 'scans'), 'x'), part(ref('nor it', 'scanned@1'), 'x')]);
    const bases = refs.map((one, index) => baseOf(one, `b${index}`)).filter((_, index) => index % 3 !== 0);
    await writeBases(store, bases, 'scanned@1');
    const found = await scanned(store, 'scans', 'scanned@1');
    expect(found.size).toBe(700);
    expect(refs.map((one) => shown(found.get(Buffer.from(one.key).toString('hex'))))).toEqual(expected);
    expect((await scanned(store, 'scans', 'none@1')).size).toBe(0);
    expect((await scanned(store, 'no such', 'scanned@1')).size).toBe(0);
  });

  it('removes a version with its marks, and no other', async () => {
    const refs = Array.from({ length: 700 }, (_, index) => ref(`gone${index}`, 'gone@1', 'goes'));
    const stays = refs.map((one) => ({ ...one, version: 'gone@12' }));
    await writer.putParts([...refs, ...stays.slice(0, 300)].map((one) => part(one, 'p'.repeat(2000))));
    const bases = refs.map((one) => baseOf(one, 'b'));
    await writeBases(store, bases.slice(350), 'gone@1');
    await writeBases(store, bases.slice(200), 'gone@12');
    expect(await removeAll(store, 'goes', 'gone@1')).toBe(700);
    expect((await scanned(store, 'goes', 'gone@1')).size).toBe(0);
    expect(await read(store, refs.slice(0, 3))).toEqual([undefined, undefined, undefined]);
    expect(await runsMarked(store, 'gone@1')).toEqual([undefined]);
    expect((await scanned(store, 'goes', 'gone@12')).size).toBe(700);
    expect(await runsMarked(store, 'gone@12')).not.toEqual([undefined]);
    expect(await removeAll(store, 'goes', 'gone@1')).toBe(0);
    // It may come back.
    await writer.putParts([part(refs[0] as RecordRef, 'again')]);
    expect((await scanned(store, 'goes', 'gone@1')).size).toBe(1);
  });

  it('removes nothing of a version once a later run has it, and then lets no earlier one write', async () => {
    const writes = Array.from({ length: 40 }, (_, index) => baseOf(ref(`back${index}`, 'back@1', 'comes'), 'late'));
    const cutOff = { code: expect.stringMatching(/^HR_(MATERIALIZE_BUSY|ONLINE_UNAVAILABLE)$/) };
    const early = await openRun(store, ++runNumber, 'back@1');
    const node = early.nodes[0] as string;
    await early.begin(node);
    const removing = await openRun(store, ++runNumber, 'back@1', true, 'comes');
    await expect(early.mark(node)).rejects.toMatchObject(cutOff);
    await removing.begin(node);
    await writeBases(store, writes, 'back@1');
    await expect(removing.remove(node)).rejects.toMatchObject(cutOff);
    expect((await scanned(store, 'comes', 'back@1')).size).toBe(40);
    await early.close();
    await removing.close();
  });

  it('shows another process what was acknowledged', async () => {
    const { other, theirs } = await elsewhere();
    await theirs.putParts([part(ref('shared'), 'theirs', { writer: 2 })]);
    expect((await read(store, [ref('shared')]))[0]?.parts).toEqual(['2.1.-Infinity=theirs']);
    await writeBases(other, [base('shared', 'b')]);
    expect(await read(store, [ref('shared')])).toEqual([{ base: 'b', parts: ['2.1.-Infinity=theirs'] }]);
  });

  it('forgets a record past its lifetime, and no other; a write gives it a new one', async () => {
    const lifetimes: Record<string, number> = { brief: 150, long: 3_600_000 };
    const lifetimeMs = (entity: string) => lifetimes[entity];
    const mortal = await openWriter(6, store, lifetimeMs);
    const [pushed, ran] = ['mortal', 'based'].map((name) =>
      ['brief', 'long', 'ever'].map((entity) => ref(name, 'm@1', entity)),
    ) as [RecordRef[], RecordRef[]];
    const renewed = ref('renewed', 'm@1', 'brief');
    await mortal.putParts([...pushed, renewed].map((one) => part(one, 'f', { writer: 6 })));
    const run = await store.run({
      version: 'm@1',
      run: ++runNumber,
      entity: 'brief',
      lifetimeMs,
      isOpen: async () => true,
    });
    const bases = ran.map((one) => baseOf(one, 'b'));
    await writeAll(run, bases);
    await run.close();
    let n = 1;
    const there = async () => {
      await mortal.putParts([part(renewed, 'f', { writer: 6, n: ++n })]);
      await store.removeExpired(systemClock.nowMicros());
      return (await store.read([...pushed, ...ran, renewed])).map((record) => record !== undefined);
    };
    const left = [false, true, true, false, true, true, true];
    await expect.poll(there, { interval: 20, timeout: 5000 }).toEqual(left);
    await mortal.close();
  });

  describe('of a registry', () => {
    const OTHER = { code: 'HR_OTHER_REGISTRY' };
    /** The store as an own project has it, with writers and runs of registries. */
    const owned = async (project: string) => {
      const own = await place.open(systemClock, project);
      const closing: { close(): Promise<void> }[] = [own];
      onTestFinished(async () => {
        for (const one of closing.toReversed()) await one.close();
      });
      const put = async (number: number, registry: string, token: string, rest: Partial<PartWrite> = {}) => {
        const link = { writer: number, holder: 1, owner: { registry, token }, lifetimeMs: forEver, onNode() {} };
        const opened = await own.writer(link);
        closing.push(opened);
        return (await opened.putParts([part(ref('k'), token, { writer: number, ...rest })]))?.length ?? 0;
      };
      const begin = async (number: number, registry: string) => {
        const link = { version: 'v@1', entity: 'thing', run: number, registry, lifetimeMs: forEver };
        const run = await own.run({ ...link, isOpen: async () => true });
        closing.push(run);
        for (const node of run.nodes) await run.begin(node);
      };
      return { own, put, begin };
    };

    it('keeps its name and the greatest numbers that it has seen', async () => {
      const { own, put, begin } = await owned('kept');
      expect(await own.notes()).toEqual({ registries: [], writer: 0, run: 0 });
      expect([await put(7, 'r', 'a'), await put(3, 'r', 'b')]).toEqual([0, 0]);
      await begin(12, 'r');
      expect(await own.notes()).toEqual({ registries: ['r'], writer: 7, run: 12 });
    });

    it('takes no part of a second writer of a number, and goes on with the first', async () => {
      const { own, put } = await owned('twice');
      await put(7, 'r', 'first');
      expect(await put(7, 'r', 'second', { n: 2 })).toBe(1);
      expect(await put(7, 'r', 'first', { n: 2 })).toBe(0);
      expect((await read(own, [ref('k')]))[0]?.parts).toEqual(['7.1.-Infinity=first']);
    });

    it('refuses another by name, until that takes it over', async () => {
      const { own, put, begin } = await owned('other');
      await put(7, 'r', 'a');
      await expect(put(8, 'other', 'b')).rejects.toMatchObject(OTHER);
      await expect(begin(1, 'other')).rejects.toMatchObject(OTHER);
      await own.adopt('other');
      expect(await put(8, 'other', 'b')).toBe(0);
      await begin(1, 'other');
      await expect(put(9, 'r', 'c')).rejects.toMatchObject(OTHER);
      expect(await own.notes()).toEqual({ registries: ['other'], writer: 8, run: 1 });
    });

    it('is read for the one that is expected alone: else it refuses by name, until that takes it over', async () => {
      const { own, put } = await owned('expected');
      await put(7, 'r', 'a');
      const reading = async () => (await read(own, [ref('k')]))[0]?.parts;
      const rows = async () => own.readRows([ref('k')], [[ref('k').key]], { base() {}, record() {} });
      await own.expectRegistry('r');
      expect(await reading()).toHaveLength(1);
      await own.expectRegistry('other');
      await expect(reading()).rejects.toMatchObject(OTHER);
      await expect(rows()).rejects.toMatchObject(OTHER);
      await own.adopt('other');
      expect(await reading()).toHaveLength(1);
      await rows();
    });
  });

  it('says which parts it did not take', async () => {
    const [held, free] = [ref('held'), ref('free')];
    const write = (one: RecordRef, rest: Partial<PartWrite>) => part(one, 'f', { writer: 1, cut: 9, n: 5, ...rest });
    expect(await writer.putParts([write(held, {}), write(free, {})])).toBeUndefined();
    const late = [write(held, { n: 5 }), write(free, { n: 6, cut: 10 }), write(free, { n: 4 })];
    expect(await writer.putParts(late)).toEqual([late[0], late[2]]);
  });

  it('keeps the part of one log where another has its number, until a greater holder comes or the log withdraws it', async () => {
    const [held, old] = [ref('of one log'), ref('of no mark')];
    const numberOf = (count: number, mark: number): number => FIRST_NUMBER + count * LOG_MARKS + mark;
    const write = (one: RecordRef, fold: string, rest: Partial<PartWrite>) =>
      part(one, fold, { writer: 1, cut: 9, n: numberOf(1, 5), ...rest });
    const there = async () => (await read(store, [held, old])).map((record) => record?.parts);
    expect(await writer.putParts([write(held, 'a', {}), write(old, 'a', { n: 7 })])).toBeUndefined();
    const other = write(held, 'b', { n: numberOf(8, 6) });
    expect(await writer.putParts([other, write(old, 'b', { n: numberOf(1, 6) })])).toEqual([other]);
    expect(await writer.putParts([write(held, 'c', { n: numberOf(2, 5) })])).toBeUndefined();
    await writer.withdraw([other, write(old, 'b', { n: numberOf(0, 5) })]);
    expect(await there()).toEqual([['1.9.-Infinity=c'], ['1.9.-Infinity=b']]);
    // Whatever its fold was.
    await writer.withdraw([write(held, 'd', { n: numberOf(0, 5) }), write(old, 'd', { n: numberOf(0, 6) })]);
    expect(await there()).toEqual([undefined, undefined]);
    await writer.putParts([write(held, 'a', {}), write(old, 'a', { n: 7 })]);
    await writer.withdraw([write(old, 'a', {})]);
    expect(await writer.putParts([{ ...other, holder: 2 }])).toBeUndefined();
    expect(await there()).toEqual([['1.9.-Infinity=b'], undefined]);
  });

  it('keeps a record until its waiting event is known, whatever part is written beside it meanwhile', async () => {
    const mortal = await openWriter(6, store, () => 150);
    const [waiting, brief] = [ref('waits', 'm@2', 'brief'), ref('is known', 'm@2', 'brief')];
    await mortal.putParts([part(waiting, 'f', { writer: 6, waitsMs: 3_600_000 }), part(brief, 'f', { writer: 6 })]);
    await mortal.putParts([part(waiting, 'f', { writer: 6, cut: 2 })]);
    const there = async () => {
      await store.removeExpired(systemClock.nowMicros());
      return (await store.read([waiting, brief])).map((record) => record?.parts.length);
    };
    await expect.poll(there, { interval: 20, timeout: 5000 }).toEqual([2, undefined]);
    await mortal.close();
  });

  it('agrees with a map through random writes', async () => {
    const [keys, versions] = [
      ['k0', 'k1', 'k2'],
      ['r@1', 'r@2'],
    ];
    const oneOrTwo = fc.integer({ min: 1, max: 2 });
    const id = fc.record({ writer: oneOrTwo, cut: oneOrTwo, boundary: fc.constantFrom(-Infinity, -5, 7) });
    const name = fc.constantFrom(...keys);
    const version = fc.constantFrom(...versions);
    const content = fc.string({ maxLength: 4 });
    const n = fc.integer({ min: 0, max: 5 });
    const onePart = fc.record({ name, version, id, holder: oneOrTwo, n, fold: content });
    const oneBase = fc.record({ name, base: content, counted: fc.array(id) });
    const step = fc.oneof(
      fc.record({ parts: fc.array(onePart, { maxLength: 6 }) }),
      fc.record({ version, bases: fc.array(oneBase, { maxLength: 4 }) }),
    );
    const idText = (one: PartId) => `${one.writer}.${one.cut}.${one.boundary}`;
    let history = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const entity = `random${history++}`;
        const model = new Map<string, Modelled>();
        const at = (name: string, version: string): Modelled => {
          const record: Modelled = model.get(`${name} ${version}`) ?? { parts: new Map() };
          model.set(`${name} ${version}`, record);
          return record;
        };
        for (const one of steps) {
          if ('parts' in one) {
            const written = one.parts.map(({ name, version, id, fold, holder, n }) =>
              part(ref(name, version, entity), fold, { ...id, holder, n }),
            );
            await writer.putParts(written);
            for (const p of one.parts) {
              const { parts } = at(p.name, p.version);
              const old = parts.get(idText(p.id));
              if (old === undefined || p.holder > old.holder || (p.holder === old.holder && p.n > old.n))
                parts.set(idText(p.id), p);
            }
          } else {
            const writes = one.bases.map((b) => ({ ...base(b.name, b.base, b.counted), entity }));
            await writeBases(store, writes, one.version);
            for (const b of one.bases) {
              const record = at(b.name, one.version);
              record.base = b.base;
              for (const counted of b.counted) record.parts.delete(idText(counted));
            }
          }
        }
        for (const version of versions) {
          const expected = keys.map((name) => {
            const record = at(name, version);
            if (record.base === undefined && record.parts.size === 0) return undefined;
            return { base: record.base, parts: [...record.parts].map(([name, { fold }]) => `${name}=${fold}`).sort() };
          });
          const refs = keys.map((name) => ref(name, version, entity));
          const got = await read(store, refs);
          for (const record of got) record?.parts.sort();
          expect(got).toEqual(expected);
          expect((await scanned(store, entity, version)).size).toBe(expected.filter(Boolean).length);
        }
      }),
      { numRuns: runs(25) },
    );
  });

  it('survives kill -9 between two writes', async () => {
    const script = fileURLToPath(new URL('../support/append-records.ts', import.meta.url));
    const child = spawn(process.execPath, [script, place.url], { stdio: ['ignore', 'pipe', 'inherit'] });
    let acknowledged = -1;
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').at(-1));
      if (acknowledged >= 30) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    await writer.close();
    await place.server?.kill();
    await place.server?.start();
    await store.close();
    store = await place.open();
    writer = await openWriter(1);
    expect(acknowledged).toBeGreaterThanOrEqual(30);
    for (let number = 0; number <= acknowledged; number++) {
      const entityKey = encodeKey([{ kind: 'int64' }], [BigInt(number)]) as EncodedKey;
      const [record] = await store.read([{ entity: 'killed', version: 'killed@1', key: entityKey }]);
      const expected = Buffer.alloc(200, number % 256);
      for (const found of [record?.base, record?.parts[0]?.fold])
        expect(Buffer.compare(Buffer.from(found ?? []), expected)).toBe(0);
    }
    expect(await runsMarked(store, 'killed@1')).toEqual([1]);
  });
});
