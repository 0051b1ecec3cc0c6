// `headrace online`: a store that another registry filled is refused by name by whatever would write to it or serve from it,
// until this registry takes it over, which is also the way of a registry that was restored from last week's backup.

import { describe, expect, it, onTestFinished } from 'vitest';
import { onlineStoreKinds } from '../support/online-stores.ts';
import { createServingProject } from '../support/serving-project.ts';
import { ownProject, type TestProject } from '../support/test-project.ts';

interface Shown {
  readonly registry: string;
  readonly store: { readonly registries: readonly string[]; readonly writer: number; readonly run: number };
  readonly is_own: boolean;
}

/** A project that is made anew: one that is copied has the registry that it was copied with. */
const ELSEWHERE = { HEADRACE_ONLINE_URL: 'lmdb:.headrace/online' };
const ADA = [{ customer: 'ada', amount: 20 }];
const purchasesOf = (project: TestProject): unknown => project.features('numbers', ADA)[0]?.['history__purchases_1d'];
const shown = (project: TestProject) => {
  const { code, stdout } = project.run('online show --json');
  return { code, ...(JSON.parse(stdout) as Shown) };
};

describe.each(onlineStoreKinds())('a store on $name', ({ prepare }) => {
  /** A project of its own registry on the store. */
  const onStore = (env: Readonly<Record<string, string>>, made = createServingProject()): TestProject =>
    Object.assign(ownProject(made), { env });
  const prepared = async () => {
    const place = await prepare();
    onTestFinished(() => place.remove());
    return { HEADRACE_ONLINE_URL: place.url };
  };

  it('of another registry is refused by serve, materialize and push, and is this one’s once `online adopt` took it over', async () => {
    const env = await prepared();
    const first = onStore(env);
    first.json('materialize --incremental');
    first.json('push purchases events.jsonl');
    const second = onStore(env, createServingProject(ELSEWHERE));
    const { registry: theirs, store } = shown(first);
    const { registry: own } = shown(second);
    expect(own).not.toBe(theirs);
    expect(shown(first)).toMatchObject({ code: 0, is_own: true, store: { registries: [theirs] } });
    expect(shown(second)).toEqual({ code: 1, registry: own, store, is_own: false });

    for (const words of ['serve --port 0', 'materialize --incremental', 'push purchases events.jsonl']) {
      const { code, stderr } = second.run(words);
      expect([words, code]).toEqual([words, 1]);
      expect(stderr).toContain(`was filled by registry "${theirs}", and this registry is "${own}"`);
      expect(stderr).toContain('headrace online adopt');
      expect(stderr).toContain('HR_OTHER_REGISTRY');
    }

    const numbers = { writer: store.writer, run: store.run };
    expect(second.json('online adopt')).toEqual({ registry: own, from: [theirs], ...numbers });
    expect(shown(second)).toMatchObject({ code: 0, is_own: true, store: { registries: [own] } });
    expect(second.json('online adopt')).toMatchObject({ registry: own, from: [] });
    expect(second.run('online adopt').stdout).toContain(`The online store is of this registry (${own}) already.`);

    // What this registry's own log has counts, and nothing of the other's.
    second.json('materialize --incremental');
    expect(purchasesOf(second)).toBe(2);
    second.json('push purchases events.jsonl');
    expect(purchasesOf(second)).toBe(4);
    const after = shown(second).store;
    expect(after.writer).toBeGreaterThan(store.writer);
    expect(after.run).toBeGreaterThan(store.run);
    expect(first.run('push purchases events.jsonl')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`was filled by registry "${own}", and this registry is "${theirs}"`),
    });
  });

  it('is another registry’s to one that was restored from an earlier backup, which takes it over and gives no number again', async () => {
    const env = await prepared();
    const project = onStore(env);
    project.json('push purchases events.jsonl');
    project.json('materialize --incremental');
    project.json('backup backup');
    // Of this the backup knows nothing.
    project.json('push purchases events.jsonl');
    project.json('materialize --incremental');
    const before = shown(project);
    project.json('restore backup --force');
    expect(shown(project)).toMatchObject({ code: 1, is_own: false, store: before.store });
    expect(project.run('push purchases events.jsonl').stderr).toContain('HR_OTHER_REGISTRY');
    const { registry } = shown(project);
    const { stdout } = project.run('online adopt');
    expect(stdout).toContain(
      `The online store was of registry ${before.registry}; it is of this one (${registry}) now.`,
    );
    expect(stdout).toContain(`Numbers go on after writer ${before.store.writer} and run ${before.store.run}.`);
    project.json('materialize --incremental');
    // The default store's two, and what the backup has of this one's.
    const restored = Number(purchasesOf(project));
    expect(restored).toBe(4);
    project.json('push purchases events.jsonl');
    expect(purchasesOf(project)).toBe(restored + 2);
    const after = shown(project).store;
    expect(after.writer).toBeGreaterThan(before.store.writer);
    expect(after.run).toBeGreaterThan(before.store.run);
  });
});
