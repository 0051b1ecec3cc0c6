// Watching files as editors, tools and people change them.

import { mkdir, mkdtemp, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileWatch, watchFiles } from '../../src/cli/dev/file-watch.ts';

let directory = '';
let watch: FileWatch;

const at = (name: string): string => join(directory, 'repo', name);
const save = (name: string, text: string): Promise<void> => writeFile(at(name), text);

/** The next answer, by name. */
async function changed(): Promise<readonly string[] | undefined> {
  return (await watch.next())?.map((path) => relative(join(directory, 'repo'), path));
}

async function open(quietMs: number): Promise<void> {
  watch = await watchFiles({
    folders: [join(directory, 'repo')],
    files: [join(directory, 'config.ts')],
    isIgnored: (name) => name.startsWith('.') || name === 'data',
    quietMs,
  });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'headrace-watch-'));
  await mkdir(join(directory, 'repo', 'sub'), { recursive: true });
  await save('a.ts', 'one');
  await save('sub/b.ts', 'one');
  await open(50);
});
afterEach(async () => {
  watch.close();
  await rm(directory, { recursive: true, force: true });
});

describe('watching files', () => {
  it('answers a burst of saves once, with every file of it', async () => {
    watch.close();
    await open(300);
    const answers: (readonly string[])[] = [];
    const first = Promise.withResolvers<void>();
    const all = (async () => {
      for (let answer = await changed(); answer !== undefined; answer = await changed()) {
        answers.push(answer);
        first.resolve();
      }
    })();
    for (let time = 0; time < 10; time++) {
      await save('a.ts', `${time}`);
      await save('sub/b.ts', `${time}`);
      await pause(10);
    }
    await first.promise;
    await pause(100);
    watch.close();
    await all;
    expect(answers).toEqual([['a.ts', 'sub/b.ts']]);
  });

  it('sees a file that is written beside and renamed over', async () => {
    for (const text of ['two', 'three']) {
      const next = changed();
      await save('.a.ts.swp', text);
      await rename(at('.a.ts.swp'), at('a.ts'));
      expect(await next).toEqual(['a.ts']);
    }
  });

  it('sees files and folders that come and go', async () => {
    let next = changed();
    await mkdir(at('new/deep'), { recursive: true });
    await save('new/deep/c.ts', 'one');
    expect(await next).toEqual(['new/deep/c.ts']);
    next = changed();
    await save('new/deep/c.ts', 'two');
    expect(await next).toEqual(['new/deep/c.ts']);
    next = changed();
    await rm(at('new'), { recursive: true });
    expect(await next).toEqual(['new/deep/c.ts']);
    next = changed();
    await unlink(at('sub/b.ts'));
    expect(await next).toEqual(['sub/b.ts']);
  });

  it('survives that the whole folder goes and comes back, as when another branch is checked out', async () => {
    let next = changed();
    await rm(join(directory, 'repo'), { recursive: true });
    expect(await next).toEqual(['a.ts', 'sub/b.ts']);
    next = changed();
    await mkdir(join(directory, 'repo'));
    await save('a.ts', 'again');
    expect(await next).toEqual(['a.ts']);
    next = changed();
    await save('a.ts', 'and again');
    expect(await next).toEqual(['a.ts']);
  });

  it('answers what happened while nobody asked, and nothing twice', async () => {
    await save('a.ts', 'two');
    expect(await changed()).toEqual(['a.ts']);
    await save('sub/b.ts', 'two');
    expect(await changed()).toEqual(['sub/b.ts']);
  });

  it('watches single files, though they were not there', async () => {
    const next = changed();
    await writeFile(join(directory, 'config.ts'), 'one');
    expect(await next).toEqual(['../config.ts']);
  });

  it('is not put off by files that it ignores and that never rest', async () => {
    await mkdir(at('data'));
    let beats = 0;
    const noise = setInterval(() => void writeFile(join(directory, 'noise.log'), `${beats++}`), 5);
    try {
      const next = changed();
      await save('data/x.csv', 'one');
      await save('.hidden', 'one');
      await save('a.ts', 'two');
      expect(await next).toEqual(['a.ts']);
    } finally {
      clearInterval(noise);
    }
  });

  it('answers nothing for a file that is as it was when it has come to rest', async () => {
    const next = changed();
    await save('c.ts', 'one');
    await unlink(at('c.ts'));
    await save('a.ts', 'two');
    expect(await next).toEqual(['a.ts']);
  });

  it('ends whoever waits when it is closed', async () => {
    const next = watch.next();
    watch.close();
    expect(await next).toBeUndefined();
    expect(await watch.next()).toBeUndefined();
  });
});
