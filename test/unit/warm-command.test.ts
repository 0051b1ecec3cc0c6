import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openWarmChild } from '../support/warm-command-child.ts';

let [directory, program] = ['', ''];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'headrace-warm-'));
  program = join(directory, 'process.mjs');
  // Answers with what it was asked; `exit` ends it after an answer, `die` without one.
  writeFileSync(
    program,
    `process.on('message', ({ id, args: [word] }) => {
       if (word === 'die') process.exit(7);
       if (word !== 'wait') process.send({ id, code: 0, stdout: word, stderr: '' }, () => word === 'exit' && process.exit(5));
     });
     process.once('disconnect', () => process.exit(0));`,
  );
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const asking = () => {
  const ask = openWarmChild(program);
  return (word: string) => ask({ directory, args: [word], env: {} });
};

it('each command gets its own answer, after a process that ended between two as well', async () => {
  const ask = asking();
  expect(await ask('exit')).toMatchObject({ code: 0, stdout: 'exit' });
  // In flight while the process ends, or asked of the next one.
  expect([0, 5]).toContain((await ask('first')).code);
  expect(await ask('second')).toMatchObject({ code: 0, stdout: 'second' });
  await ask('die');
});

it('a process that is gone answers all that it was asked', async () => {
  const ask = asking();
  const answers = await Promise.all(['wait', 'wait', 'die'].map(ask));
  expect(answers.map(({ code }) => code)).toEqual([7, 7, 7]);
  expect(await ask('next')).toMatchObject({ stdout: 'next' });
  await ask('die');
});
