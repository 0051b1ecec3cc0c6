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

  /** What is answered once this is done. */
  const after = async (work: () => Promise<unknown>): Promise<readonly string[] | undefined> => {
    const next = changed();
    await work();
    return next;
  };

  it('sees a file that is written beside and renamed over', async () => {
    for (const text of ['two', 'three']) {
      const replaces = () => save('.a.ts.swp', text).then(() => rename(at('.a.ts.swp'), at('a.ts')));
      expect(await after(replaces)).toEqual(['a.ts']);
    }
  });

  it('sees files and folders that come and go', async () => {
    const makes = () => mkdir(at('new/deep'), { recursive: true }).then(() => save('new/deep/c.ts', 'one'));
    expect(await after(makes)).toEqual(['new/deep/c.ts']);
    expect(await after(() => save('new/deep/c.ts', 'two'))).toEqual(['new/deep/c.ts']);
    expect(await after(() => rm(at('new'), { recursive: true }))).toEqual(['new/deep/c.ts']);
    expect(await after(() => unlink(at('sub/b.ts')))).toEqual(['sub/b.ts']);
  });

  it('survives that the whole folder goes and comes back, as when another branch is checked out', async () => {
    const repo = join(directory, 'repo');
    expect(await after(() => rm(repo, { recursive: true }))).toEqual(['a.ts', 'sub/b.ts']);
    expect(await after(() => mkdir(repo).then(() => save('a.ts', 'again')))).toEqual(['a.ts']);
    expect(await after(() => save('a.ts', 'and again'))).toEqual(['a.ts']);
  });

  it('answers what happened while nobody asked, and nothing twice', async () => {
    await save('a.ts', 'two');
    expect(await changed()).toEqual(['a.ts']);
    await save('sub/b.ts', 'two');
    expect(await changed()).toEqual(['sub/b.ts']);
  });

  it('watches single files, though they were not there', async () => {
    expect(await after(() => writeFile(join(directory, 'config.ts'), 'one'))).toEqual(['../config.ts']);
  });

  it('is not put off by files that it ignores and that never rest', async () => {
    await mkdir(at('data'));
    let beats = 0;
    const noise = setInterval(() => void writeFile(join(directory, 'noise.log'), `${beats++}`), 5);
    const saves = async () => {
      for (const [name, text] of Object.entries({ 'data/x.csv': 'one', '.hidden': 'one', 'a.ts': 'two' }))
        await save(name, text);
    };
    const answer = await after(saves).finally(() => clearInterval(noise));
    expect(answer).toEqual(['a.ts']);
  });

  it('answers nothing for a file that is as it was when it has come to rest', async () => {
    const saves = async () => {
      await save('c.ts', 'one');
      await unlink(at('c.ts'));
      await save('a.ts', 'two');
    };
    expect(await after(saves)).toEqual(['a.ts']);
  });

  it('ends whoever waits when it is closed', async () => {
    const next = watch.next();
    watch.close();
    expect(await next).toBeUndefined();
    expect(await watch.next()).toBeUndefined();
  });
});
