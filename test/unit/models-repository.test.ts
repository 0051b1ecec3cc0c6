import { describe, expect, it, onTestFinished } from 'vitest';
import { HeadraceError, sha256Hex } from '../../src/core/index.ts';
import { createModelRepository, createOnnxRuntime, isTransient } from '../../src/models/index.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import { submitRows } from '../support/model-works.ts';

const cpu = { providers: ['cpu'], mayBlock: true };
// Every model stays on the event loop, so that its memory is its artifact's size.
const runtime = createOnnxRuntime({ inlineMicros: 1e6 });

/** Models of one size that answer `scale` times what they get. */
const artifact = (scale = 1): Uint8Array => new Uint8Array(linearModel(1, { scale }));
// In memory: the session, and the bytes that another would be opened from.
const SIZE = 2 * artifact().byteLength;

function open(memoryBytes?: number) {
  const repository = createModelRepository({ runtime, ...(memoryBytes === undefined ? {} : { memoryBytes }) });
  onTestFinished(() => repository.close());
  const acquire = (id: string, read: number | (() => Promise<Uint8Array>) = 1, more = {}) =>
    repository.acquire(id, typeof read === 'number' ? async () => artifact(read) : read, { ...cpu, ...more });
  const ids = () => repository.statistics().models.map(({ id }) => id);
  return { repository, acquire, ids, told: () => repository.statistics() };
}
/** A read that counts how often it came to it. */
function counting(scale: number) {
  const state = { reads: 0 };
  const read = async (): Promise<Uint8Array> => {
    state.reads++;
    return artifact(scale);
  };
  return { state, read };
}

describe('a model repository', () => {
  it('loads an artifact once, for all who ask while it loads and after', async () => {
    const { repository, acquire, told } = open();
    const { state, read } = counting(3);
    const leases = await Promise.all([1, 2, 3].map(() => acquire('a', read)));
    leases.push(await acquire('a', read));
    expect(state.reads).toBe(1);
    const [model, ...others] = new Set(leases.map((lease) => lease.model));
    expect(others).toEqual([]);
    expect(model && (await submitRows(model, [[2]]))).toEqual([6]);
    expect([repository.isReady('a'), repository.isReady('b')]).toEqual([true, false]);
    expect(told()).toMatchObject({ loads: 1, failedLoads: 0, memoryBytes: SIZE });
  });

  it('keeps what nobody holds until another needs the place, the least recently used first', async () => {
    const { acquire, ids, told } = open(3 * SIZE);
    for (const id of ['a', 'b', 'c', 'a']) (await acquire(id)).release();
    expect(ids()).toEqual(['b', 'c', 'a']);
    (await acquire('d')).release();
    expect(ids()).toEqual(['c', 'a', 'd']);
    expect(told()).toMatchObject({ loads: 4, evictions: 1, memoryBytes: 3 * SIZE });
  });

  it('reads no artifact that there is no room for', async () => {
    const { acquire, told } = open(2 * SIZE);
    await acquire('a', 2);
    const { state, read } = counting(3);
    const size = (bytes: number) => ({ size: async () => bytes });
    await expect(acquire('b', read, size(SIZE + 1))).rejects.toMatchObject({ code: 'HR_OVERLOADED' });
    expect(state.reads).toBe(0);
    await acquire('b', read, size(SIZE / 2));
    expect(state.reads).toBe(1);
    expect(told()).toMatchObject({ failedLoads: 1, memoryBytes: 2 * SIZE });
  });

  it('never takes a model from who holds it: a load beyond the bound fails, and may be tried again', async () => {
    const { repository, acquire, ids } = open(2 * SIZE);
    const [held, other] = [await acquire('a', 2), await acquire('b', 2)];
    const refused = await acquire('c', 2).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: 'HR_OVERLOADED' });
    expect(isTransient(refused)).toBe(true);
    expect(await submitRows(held.model, [[4]])).toEqual([8]);
    other.release();
    other.release();
    await acquire('c', 2);
    expect(ids()).toEqual(['a', 'c']);
    expect(await repository.unload('a')).toBe(false);
    held.release();
    expect(await repository.unload('a')).toBe(true);
    expect(ids()).toEqual(['c']);
  });

  it('holds the bound while many load at once', async () => {
    const { acquire, told } = open(2 * SIZE);
    const asked = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => acquire(id)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(told().memoryBytes).toBe(2 * SIZE);
  });

  it('tries a load that failed again, whoever asked', async () => {
    const { acquire, told } = open();
    const away = () => Promise.reject(new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the store is away'));
    const failed = await Promise.allSettled([1, 2].map(() => acquire('a', away)));
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(told()).toMatchObject({ models: [], failedLoads: 1, memoryBytes: 0 });
    expect(await submitRows((await acquire('a')).model, [[2]])).toEqual([2]);
    expect(told()).toMatchObject({ loads: 2, failedLoads: 1, memoryBytes: SIZE });
  });

  it('checks the artifact’s hash where it opens it', async () => {
    const { acquire } = open();
    const sha256 = sha256Hex(artifact());
    await expect(acquire('a', 2, { sha256 })).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
    expect(await submitRows((await acquire('a', 1, { sha256 })).model, [[2]])).toEqual([2]);
  });

  it('closes after the work of its models, and then loads no more', async () => {
    const { repository, acquire } = open();
    const { model } = await acquire('a', async () => new Uint8Array(lookUpModel()));
    const told = submitRows(model, [[6]]);
    await repository.close();
    expect(await told).toEqual([60]);
    await expect(acquire('b')).rejects.toMatchObject({ code: 'HR_STOPPING' });
  });
});

describe('a failed load', () => {
  it.each([
    ['HR_MODEL_UNREADABLE', false],
    ['HR_MODEL_SIGNATURE', false],
    ['HR_UNSUPPORTED', false],
    ['HR_UNKNOWN_MODEL', false],
    ['HR_STORAGE_UNAVAILABLE', true],
    ['HR_ARTIFACT_UNREADABLE', true],
    ['HR_VERSION_INCOMPLETE', true],
    ['HR_MODEL_NOT_READY', true],
    ['HR_OVERLOADED', true],
  ] as const)('with %s may succeed by itself: %s', (code, expected) => {
    expect(isTransient(new HeadraceError(code, 'x'))).toBe(expected);
  });

  it('with what is no error of the catalogue may succeed by itself', () => {
    expect(isTransient(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toBe(true);
  });
});
