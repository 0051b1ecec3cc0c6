// What a command is given: an app that may do what it asked for, whatever it asked for before, and none left open.

import { expect, it } from 'vitest';
import type { App } from '../../src/app/index.ts';
import { type CommandContext, defineCommand } from '../../src/cli/command.ts';
import { readEnvironment } from '../../src/app/index.ts';
import { silentProgress } from '../../src/core/index.ts';

async function run(work: (context: CommandContext) => Promise<void>): Promise<string[]> {
  const log: string[] = [];
  const define = defineCommand({
    usage: 'try',
    summary: 'tries',
    example: 'headrace try',
    async run(context) {
      await work(context);
      return { json: null, text: '' };
    },
  });
  const command = define({
    environment: readEnvironment({}),
    stdout: () => {},
    stderr: () => {},
    progress: () => silentProgress,
    exitCode: 0,
    async openApp({ access }) {
      log.push(`open to ${access}`);
      // All that a command's end asks of it.
      return { close: async () => void log.push(`close ${access}`) } as unknown as App;
    },
  });
  await command.parseAsync([], { from: 'user' });
  return log;
}

it('opens an app once, and the writer for whoever reads after', async () => {
  const log = await run(async (context) => {
    const app = await context.app();
    expect(await context.app()).toBe(app);
    expect(await context.app('read')).toBe(app);
  });
  expect(log).toEqual(['open to write', 'close write']);
});

it('gives who writes after reading no app that refuses it, and closes both', async () => {
  const log = await run(async (context) => {
    const reader = await context.app('read');
    expect(await context.app('read')).toBe(reader);
    expect(await context.app('write')).not.toBe(reader);
  });
  expect(log).toEqual(['open to read', 'open to write', 'close write', 'close read']);
});
