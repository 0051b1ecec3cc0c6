// `headrace keys`: what it prints, and that it never prints a key but once.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServingProject, type Project } from '../support/serving-project.ts';
import { typeCommand } from '../support/typed-command.ts';

let project: Project;
beforeAll(async () => {
  project = createServingProject();
  // A first key is told more of.
  await run('keys', 'create', 'first', '--role', 'read');
});
afterAll(() => project.remove());

const run = (...args: readonly string[]) => typeCommand(project.directory, args);

describe('keys on the command line', () => {
  it('are made, listed, rotated and revoked, and shown once', async () => {
    const made = await run('keys', 'create', 'cli', '--role', 'predict', '--endpoint', 'checkout');
    expect(made.code).toBe(0);
    // Nothing else goes where a script takes the key from.
    const token = /^(hr_[0-9a-z]{10}_[0-9A-Za-z]{32})\n$/.exec(made.stdout)?.[1] ?? expect.fail(made.stdout);
    expect(made.stderr).toContain('Servers know it within a second.');
    const secret = token.split('_')[2] ?? '';
    const listed = await run('keys', 'list');
    expect(listed.stdout).toMatch(/^cli +hr_\w{10} +predict +checkout +active +-$/m);
    const rotated = await run('keys', 'rotate', 'cli', '--grace', '2h');
    expect(rotated.stdout).toMatch(/^hr_[0-9a-z]{10}_[0-9A-Za-z]{32}\n$/);
    expect(rotated.stderr).toContain(`The former one, ${token.slice(0, 13)}, ends at `);
    const revoked = await run('keys', 'revoke', token);
    expect(revoked.stdout).toContain(`Revoked ${token.slice(0, 13)} (cli).`);
    const again = await run('keys', 'revoke', token);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('has ended already') });
    for (const { stdout, stderr } of [listed, rotated, revoked, again]) expect(stdout + stderr).not.toContain(secret);
  });

  it.each([
    [['create', 'x'], 'one or more of the roles', 1],
    [['create', 'x', '--role', 'root'], 'got "root"', 1],
    [['create', 'x', '--role', 'read', '--expires', 'soon'], '--expires takes a duration', 2],
    [['create', 'x', '--role', 'read', '--endpoint', 'chekout'], 'Did you mean "checkout"?', 1],
    [['rotate', 'nobody'], 'there is no key "nobody"', 1],
  ])('%j says what is wrong', async (args, says, code) => {
    expect(await run('keys', ...args)).toMatchObject({ code, stderr: expect.stringContaining(says) });
  });
});

it('a whole key is never echoed, wherever it was pasted', async () => {
  const token = ['hr', '4k2j9x0qzt', `${'Secret'.repeat(5)}42`].join('_');
  for (const args of [
    [token],
    ['keys', token],
    ['keys', 'create', token, '--role', 'read'],
    ['keys', 'create', 'x', '--role', token],
    ['keys', 'create', 'x', '--role', 'read', '--expires', token],
    ['keys', 'create', 'x', '--role', 'read', `--${token}`],
    ['keys', 'rotate', token],
    ['keys', 'revoke', `Bearer ${token}`],
    ['endpoints', 'traffic', token, 'stable=1:100'],
    ['endpoints', 'traffic', 'checkout', token],
  ]) {
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await run(...args, ...more);
      expect(code).not.toBe(0);
      expect(stdout + stderr).toContain('hr_4k2j9x0qzt');
      expect(stdout + stderr).not.toContain('Secret');
    }
  }
});
