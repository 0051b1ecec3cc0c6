// Whether a working copy stands behind what is applied, by git's history.

import { execFileSync } from 'node:child_process';
import { beforeEach, expect, it } from 'vitest';
import { refuseOlderCommit } from '../../src/app/apply-definitions.ts';
import type { App } from '../../src/app/index.ts';
import { folderOfTest } from '../support/new-folder.ts';

let folder: string;
let older: string;
let newer: string;
beforeEach(() => {
  folder = folderOfTest();
  const git = (words: string): string =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...words.split(' ')]).toString();
  const commit = (message: string): string => {
    git(`commit -q --allow-empty -m ${message}`);
    return git('rev-parse HEAD').trim();
  };
  git('init -q');
  [older, newer] = [commit('one'), commit('two')];
});

// As much of an app as is looked at.
const refused = (applied: string | undefined, commit: string | undefined): Promise<void> => {
  const history = () => Promise.resolve([{ revision: 7, origin: { commit: applied } }]);
  const app = { config: { values: { repo: folder } }, registry: () => Promise.resolve({ definitions: { history } }) };
  return refuseOlderCommit(app as unknown as App, commit === undefined ? {} : { commit });
};

it('refuses a commit before the one that is applied, and names both', async () => {
  await expect(refused(newer, older)).rejects.toMatchObject({
    code: 'HR_OLDER_COMMIT',
    message: expect.stringContaining(
      `revision 7 was applied from commit ${newer.slice(0, 12)}, which comes after this one, ${older.slice(0, 12)}. Update`,
    ),
  });
});

it('takes the same commit, a later one, one that is not known, and none', async () => {
  await refused(newer, newer);
  await refused(older, newer);
  await refused(newer, 'f'.repeat(40));
  await refused(undefined, older);
  await refused(newer, undefined);
});
