// One contract for every online store, run on the real thing.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EncodedKey, encodeKey, MICROS_PER_DAY, systemClock } from '../../src/core/index.ts';
import type { FullRecord, OnlineStore, RecordChange, RecordRef, StoredRecord } from '../../src/online/index.ts';
import { type OnlineStorePlace, onlineStoreKinds } from '../support/online-stores.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (part: Uint8Array | undefined): string | undefined =>
  part === undefined ? undefined : Buffer.from(part).toString();
const key = (name: string): EncodedKey => encodeKey([{ kind: 'string' }], [name]) as EncodedKey;
const ref = (name: string, view = 'v', entity = 'thing'): RecordRef => ({ entity, view, key: key(name) });
const base = (content: string): RecordChange => ({ base: bytes(content), pushed: undefined, pushedLog: undefined });
const shown = (record: StoredRecord | undefined) =>
  record === undefined ? undefined : { base: text(record.base), pushed: text(record.pushed) };
const script = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

async function scanned(store: OnlineStore, entity: string, view: string): Promise<Map<string, FullRecord>> {
  const found = new Map<string, FullRecord>();
  for await (const { key: entityKey, record } of store.scan(entity, view)) {
    found.set(Buffer.from(entityKey).toString('hex'), record);
  }
  return found;
}

describe.each(onlineStoreKinds())('the online store on $name', ({ name: kind, prepare }) => {
  let place: OnlineStorePlace;
  let store: OnlineStore;
  beforeAll(async () => {
    place = await prepare();
    store = await place.open();
  });
  afterAll(async () => {
    await store.close();
    await place.remove();
  });

  it('gives what was written, in the order asked, and undefined for what never was', async () => {
    await store.update([ref('one'), ref('two')], (_, index) => ({
      base: index === 0 ? bytes('b1') : undefined,
      pushed: bytes(`p${index}`),
      pushedLog: bytes('log'),
    }));
    const records = await store.read([ref('two'), ref('none'), ref('one'), ref('one', 'other')]);
    expect(records.map(shown)).toEqual([
      { base: undefined, pushed: 'p1' },
      undefined,
      { base: 'b1', pushed: 'p0' },
      undefined,
    ]);
    const [full] = await store.readFull([ref('one')]);
    expect(text(full?.pushedLog)).toBe('log');
  });

  it('answers without a promise where it can', () => {
    expect(store.read([ref('one')]) instanceof Promise).toBe(kind !== 'lmdb');
  });

  it('hands `change` the whole record, leaves it alone for null, and removes parts and records', async () => {
    await store.update([ref('parts')], () => ({ base: bytes('b'), pushed: bytes('p'), pushedLog: bytes('l') }));
    let seen: (string | undefined)[] = [];
    const untouched = await store.update([ref('parts')], (current) => {
      seen = [text(current?.base), text(current?.pushed), text(current?.pushedLog)];
      return null;
    });
    expect(untouched).toBe(0);
    expect(seen).toEqual(['b', 'p', 'l']);
    await store.update([ref('parts')], (current) => ({ base: current?.base, pushed: undefined, pushedLog: undefined }));
    expect((await store.readFull([ref('parts')]))[0]).toEqual(
      expect.objectContaining({ pushed: undefined, pushedLog: undefined }),
    );
    await store.update([ref('parts')], () => ({ base: undefined, pushed: undefined, pushedLog: undefined }));
    expect(await store.read([ref('parts')])).toEqual([undefined]);
  });

  it('keeps apart keys, views and entities that would collide as text', async () => {
    const composite = [{ kind: 'string' }, { kind: 'string' }] as const;
    const refs: RecordRef[] = [
      { entity: 'thing', view: 'c', key: encodeKey(composite, ['a', 'bc']) as EncodedKey },
      { entity: 'thing', view: 'c', key: encodeKey(composite, ['ab', 'c']) as EncodedKey },
      { entity: 'thingc', view: 'c', key: key('a') },
      { entity: 'thing', view: 'c', key: encodeKey([{ kind: 'int64' }], [1n]) as EncodedKey },
      { entity: 'thing', view: 'c', key: key('1') },
      { entity: 'thing', view: 'c', key: key('\0c\0') },
      { entity: 'thing', view: 'c', key: key('x'.repeat(5000)) },
      { entity: 'thing', view: 'c', key: key(`${'x'.repeat(4999)}y`) },
      { entity: 'thing', view: 'c', key: key('') },
    ];
    await store.update(refs, (_, index) => base(String(index)));
    expect((await store.read(refs)).map((record) => text(record?.base))).toEqual(refs.map((_, index) => String(index)));
    const found = await scanned(store, 'thing', 'c');
    const expected = refs.flatMap((one, index) =>
      one.entity === 'thing' ? [[Buffer.from(one.key).toString('hex'), String(index)]] : [],
    );
    expect([...found].map(([hex, record]) => [hex, text(record.base)]).sort()).toEqual(expected.sort());
  });

  it('gives bytes that a later read does not change', async () => {
    await store.update([ref('long'), ref('short')], (_, index) => base(index === 0 ? 'l'.repeat(3000) : 's'));
    const [long] = await store.read([ref('long')]);
    await store.read([ref('short'), ref('one')]);
    expect(text(long?.base)).toBe('l'.repeat(3000));
  });

  it('scans every record of a view and no other', async () => {
    const refs = Array.from({ length: 700 }, (_, index) => ref(`scan${index}`, 'scanned'));
    await store.update(refs, (_, index) => ({ base: bytes(String(index)), pushed: undefined, pushedLog: bytes('l') }));
    const found = await scanned(store, 'thing', 'scanned');
    expect(found.size).toBe(700);
    expect([...found.values()].every((record) => text(record.pushedLog) === 'l')).toBe(true);
  });

  it('is atomic: a change that throws leaves the record as it was', async () => {
    await store.update([ref('atomic')], () => base('before'));
    const failing = store.update([ref('atomic')], () => {
      throw new RangeError('mine');
    });
    await expect(failing).rejects.toThrow('mine');
    expect((await store.read([ref('atomic')])).map(shown)).toEqual([{ base: 'before', pushed: undefined }]);
  });

  it('loses no change of many processes at once', async () => {
    const processes = Array.from({ length: 3 }, () =>
      spawn(process.execPath, [script('count-up.ts'), place.url, '40'], { stdio: ['ignore', 'ignore', 'inherit'] }),
    );
    const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    for (const record of await store.read([ref('a'), ref('b'), ref('c')])) {
      expect(Buffer.from(record?.base ?? []).readUInt32LE()).toBe(120);
    }
  });

  it('shows another process what was acknowledged, and keeps its own meta', async () => {
    expect(await store.getMeta('watermark/v')).toBeUndefined();
    await store.setMeta('watermark/v', '123');
    const other = await place.open();
    expect(await other.getMeta('watermark/v')).toBe('123');
    await other.update([ref('shared')], () => base('theirs'));
    await other.close();
    expect((await store.read([ref('shared')])).map(shown)).toEqual([{ base: 'theirs', pushed: undefined }]);
  });

  it('survives kill -9 between two writes', async () => {
    const child = spawn(process.execPath, [script('append-records.ts'), place.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let acknowledged = -1;
    child.stdout.on('data', (chunk: Buffer) => {
      const last = chunk.toString().trim().split('\n').at(-1);
      acknowledged = Number(last);
      if (acknowledged >= 30) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    if (place.server !== undefined) {
      await place.server.kill();
      await place.server.start();
      await store.close();
    } else {
      await store.close();
    }
    store = await place.open();
    expect(acknowledged).toBeGreaterThanOrEqual(30);
    for (let number = 0; number <= acknowledged; number++) {
      const entityKey = encodeKey([{ kind: 'int64' }], [BigInt(number)]) as EncodedKey;
      const [record] = await store.readFull([{ entity: 'thing', view: 'v', key: entityKey }]);
      const expected = Buffer.alloc(200, number % 256);
      for (const part of [record?.base, record?.pushed, record?.pushedLog]) {
        expect(Buffer.compare(Buffer.from(part ?? []), expected)).toBe(0);
      }
    }
  });

  it('forgets a record past its expiry, and no other', async () => {
    const soon = systemClock.nowMicros() + 50_000;
    const later = systemClock.nowMicros() + MICROS_PER_DAY;
    await store.update([ref('soon'), ref('later'), ref('never')], (_, index) => ({
      ...base('x'),
      pushedLog: bytes('l'),
      ...(index === 2 ? {} : { expiresAtMicros: index === 0 ? soon : later }),
    }));
    await expect
      .poll(
        async () => {
          await store.removeExpired();
          return (await store.readFull([ref('soon'), ref('later'), ref('never')])).map(
            (record) => record !== undefined,
          );
        },
        { interval: 20, timeout: 5000 },
      )
      .toEqual([false, true, true]);
  });
});
