import { afterAll, describe, expect, it } from 'vitest';
import { HeadraceError, sha256Hex } from '../../src/core/index.ts';
import {
  createModelRepository,
  createOnnxRuntime,
  isTransient,
  type ModelLease,
  type ModelRepository,
} from '../../src/models/index.ts';
import { linearModel, lookUpModel } from '../support/onnx-model.ts';
import { submitRows } from '../support/model-works.ts';

const cpu = { providers: ['cpu'], mayBlock: true };
// Every model stays on the event loop, so that its memory is its artifact's size.
const runtime = createOnnxRuntime({ inlineMicros: 1e6 });
const opened: ModelRepository[] = [];
afterAll(() => Promise.all(opened.map((repository) => repository.close())));

function open(memoryBytes?: number): ModelRepository {
  const repository = createModelRepository({ runtime, ...(memoryBytes === undefined ? {} : { memoryBytes }) });
  opened.push(repository);
  return repository;
}

/** Models of one size that answer `scale` times what they get. */
const artifact = (scale: number): Uint8Array => new Uint8Array(linearModel(1, { scale }));
// In memory: the session, and the bytes that another would be opened from.
const SIZE = 2 * artifact(1).byteLength;
const reading = (scale: number) => () => Promise.resolve(artifact(scale));
const idsOf = (repository: ModelRepository): string[] => repository.statistics().models.map(({ id }) => id);

describe('a model repository', () => {
  it('loads an artifact once, for all who ask while it loads and after', async () => {
    const repository = open();
    let reads = 0;
    const read = async (): Promise<Uint8Array> => {
      reads++;
      return artifact(3);
    };
    const leases = await Promise.all([1, 2, 3].map(() => repository.acquire('a', read, cpu)));
    leases.push(await repository.acquire('a', read, cpu));
    expect(reads).toBe(1);
    expect(new Set(leases.map(({ model }) => model)).size).toBe(1);
    expect(await submitRows((leases[0] as ModelLease).model, [[2]])).toEqual([6]);
    expect(repository.isReady('a')).toBe(true);
    expect(repository.isReady('b')).toBe(false);
    expect(repository.statistics()).toMatchObject({ loads: 1, failedLoads: 0, memoryBytes: SIZE });
  });

  it('keeps what nobody holds until another needs the place, the least recently used first', async () => {
    const repository = open(3 * SIZE);
    for (const id of ['a', 'b', 'c']) (await repository.acquire(id, reading(1), cpu)).release();
    (await repository.acquire('a', reading(1), cpu)).release();
    expect(idsOf(repository)).toEqual(['b', 'c', 'a']);
    (await repository.acquire('d', reading(1), cpu)).release();
    expect(idsOf(repository)).toEqual(['c', 'a', 'd']);
    expect(repository.statistics()).toMatchObject({ loads: 4, evictions: 1, memoryBytes: 3 * SIZE });
  });

  it('reads no artifact that there is no room for', async () => {
    const repository = open(2 * SIZE);
    await repository.acquire('a', reading(2), cpu);
    let reads = 0;
    const read = async (): Promise<Uint8Array> => {
      reads++;
      return artifact(3);
    };
    const tooLarge = { ...cpu, size: () => Promise.resolve(SIZE + 1) };
    await expect(repository.acquire('b', read, tooLarge)).rejects.toMatchObject({ code: 'HR_OVERLOADED' });
    expect(reads).toBe(0);
    await repository.acquire('b', read, { ...cpu, size: () => Promise.resolve(SIZE / 2) });
    expect(reads).toBe(1);
    expect(repository.statistics()).toMatchObject({ failedLoads: 1, memoryBytes: 2 * SIZE });
  });

  it('never takes a model from who holds it: a load beyond the bound fails, and may be tried again', async () => {
    const repository = open(2 * SIZE);
    const held = await repository.acquire('a', reading(2), cpu);
    const other = await repository.acquire('b', reading(2), cpu);
    const refused = await repository.acquire('c', reading(2), cpu).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: 'HR_OVERLOADED' });
    expect(isTransient(refused)).toBe(true);
    expect(await submitRows(held.model, [[4]])).toEqual([8]);
    other.release();
    other.release();
    await repository.acquire('c', reading(2), cpu);
    expect(idsOf(repository)).toEqual(['a', 'c']);
    expect(await repository.unload('a')).toBe(false);
    held.release();
    expect(await repository.unload('a')).toBe(true);
    expect(idsOf(repository)).toEqual(['c']);
  });

  it('holds the bound while many load at once', async () => {
    const repository = open(2 * SIZE);
    const asked = await Promise.allSettled(['a', 'b', 'c', 'd'].map((id) => repository.acquire(id, reading(1), cpu)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(repository.statistics().memoryBytes).toBe(2 * SIZE);
  });

  it('tries a load that failed again, whoever asked', async () => {
    const repository = open();
    let isAway = true;
    const read = async (): Promise<Uint8Array> => {
      if (isAway) throw new HeadraceError('HR_STORAGE_UNAVAILABLE', 'the store is away');
      return artifact(1);
    };
    const failed = await Promise.allSettled([1, 2].map(() => repository.acquire('a', read, cpu)));
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(repository.statistics()).toMatchObject({ models: [], failedLoads: 1, memoryBytes: 0 });
    isAway = false;
    await expect(repository.acquire('a', read, cpu)).resolves.toBeDefined();
  });

  it('checks the artifact’s hash where it opens it', async () => {
    const repository = open();
    const right = { ...cpu, sha256: sha256Hex(artifact(1)) };
    await expect(repository.acquire('a', reading(2), right)).rejects.toMatchObject({ code: 'HR_ARTIFACT_UNREADABLE' });
    await expect(repository.acquire('a', reading(1), right)).resolves.toBeDefined();
  });

  it('closes after the work of its models, and then loads no more', async () => {
    const repository = open();
    const { model } = await repository.acquire('a', () => Promise.resolve(new Uint8Array(lookUpModel())), cpu);
    const told = submitRows(model, [[6]]);
    await repository.close();
    expect(await told).toEqual([60]);
    await expect(repository.acquire('b', reading(1), cpu)).rejects.toMatchObject({ code: 'HR_STOPPING' });
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

  it('of a file that is no model stays failed', async () => {
    const thrown = await open()
      .acquire('a', () => Promise.resolve(Uint8Array.of(1, 2, 3)), cpu)
      .catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: 'HR_MODEL_UNREADABLE' });
    expect(isTransient(thrown)).toBe(false);
  });
});
