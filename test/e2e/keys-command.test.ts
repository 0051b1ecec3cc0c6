// `headrace keys`: what it prints, and that it never prints a key but once.

import { beforeAll, describe, expect, it } from 'vitest';
import { testProject } from '../support/test-project.ts';
import { typeCommand } from '../support/typed-command.ts';

const project = testProject();
const run = (words: string) => typeCommand(project.directory, words.split(' '));
// A first key is told more of.
beforeAll(async () => void (await run('keys create first --role read')));

describe('keys on the command line', () => {
  it('are made, listed, rotated and revoked, and shown once', async () => {
    const made = await run('keys create cli --role predict --endpoint checkout');
    expect(made.code).toBe(0);
    // Nothing else goes where a script takes the key from.
    const token = /^(hr_[0-9a-z]{10}_[0-9A-Za-z]{32})\n$/.exec(made.stdout)?.[1] ?? expect.fail(made.stdout);
    expect(made.stderr).toContain('Servers know it within a second.');
    const secret = token.split('_')[2] ?? '';
    const listed = await run('keys list');
    expect(listed.stdout).toMatch(/^cli +hr_\w{10} +predict +checkout +active +-$/m);
    const rotated = await run('keys rotate cli --grace 2h');
    expect(rotated.stdout).toMatch(/^hr_[0-9a-z]{10}_[0-9A-Za-z]{32}\n$/);
    expect(rotated.stderr).toContain(`The former one, ${token.slice(0, 13)}, ends at `);
    const revoked = await run(`keys revoke ${token}`);
    expect(revoked.stdout).toContain(`Revoked ${token.slice(0, 13)} (cli).`);
    const again = await run(`keys revoke ${token}`);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('has ended already') });
    for (const { stdout, stderr } of [listed, rotated, revoked, again]) expect(stdout + stderr).not.toContain(secret);
  });

  it.each([
    ['create x', 'one or more of the roles', 1],
    ['create x --role root', 'got "root"', 1],
    ['create x --role read --expires soon', '--expires takes a duration', 2],
    ['create x --role read --endpoint chekout', 'Did you mean "checkout"?', 1],
    ['rotate nobody', 'there is no key "nobody"', 1],
  ])('%s says what is wrong', async (words, says, code) => {
    expect(await run(`keys ${words}`)).toMatchObject({ code, stderr: expect.stringContaining(says) });
  });
});

const TOKEN = ['hr', '4k2j9x0qzt', `${'Secret'.repeat(5)}42`].join('_');
it.each([
  [TOKEN],
  ['keys', TOKEN],
  ['keys', 'create', TOKEN, '--role', 'read'],
  ['keys', 'create', 'x', '--role', TOKEN],
  ['keys', 'create', 'x', '--role', 'read', '--expires', TOKEN],
  ['keys', 'create', 'x', '--role', 'read', `--${TOKEN}`],
  ['keys', 'rotate', TOKEN],
  ['keys', 'revoke', `Bearer ${TOKEN}`],
  ['endpoints', 'traffic', TOKEN, 'stable=1:100'],
  ['endpoints', 'traffic', 'checkout', TOKEN],
])('a whole key is never echoed, wherever it was pasted: %s %s %s', async (...args) => {
  for (const more of [[], ['--json']]) {
    const { code, stdout, stderr } = await typeCommand(project.directory, [...args, ...more]);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain('hr_4k2j9x0qzt');
    expect(stdout + stderr).not.toContain('Secret');
  }
});
