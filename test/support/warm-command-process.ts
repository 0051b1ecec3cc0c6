// The process of `warm-command.ts`: runs each command line that it is sent as the program's own `main.ts` does, in the folder
// and with the environment that were asked for, and answers with what it wrote.

import { enableCompileCache } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import { transform } from 'esbuild';
import type { WarmAnswer, WarmRequest } from './warm-command.ts';
import type { Numbered } from './warm-command-child.ts';

enableCompileCache();
const { runCli } = await import('../../src/cli/run-cli.ts');
// esbuild's own process stands where it was started. In a project it would be taken for one that the project started.
await transform('');

let last: Promise<void> = Promise.resolve();
process.on('message', ({ id, ...request }: Numbered<WarmRequest>) => {
  last = last.then(async () => {
    process.send?.({ ...(await run(request)), id });
  });
});
process.once('disconnect', () => process.exit(0));
// Each command adds one of its own, which is no leak in a process that runs one: Node would warn of it amid what a later one says.
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);

async function run({ directory, args, env }: WarmRequest): Promise<WarmAnswer> {
  process.chdir(directory);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  // Where what it executes is recorded: for the test file that asks.
  (globalThis as { headraceTurnTo?: (folder: string | undefined) => void }).headraceTurnTo?.(
    env['HEADRACE_TEST_EXECUTED'],
  );
  const [stdout, stderr] = [collect(process.stdout), collect(process.stderr)];
  const code = await runCli(args);
  await setImmediate();
  // A folder that someone stands in could not be told from one that is gone.
  process.chdir('/');
  (globalThis as { headraceWrite?: () => void }).headraceWrite?.();
  return { code, stdout: stdout.end(), stderr: stderr.end() };
}

function collect(stream: NodeJS.WriteStream): { end: () => string } {
  const own = stream.write;
  const chunks: Buffer[] = [];
  stream.write = (chunk: string | Uint8Array, encoding?: unknown, done?: unknown) => {
    chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk));
    const then = typeof encoding === 'function' ? encoding : done;
    if (typeof then === 'function') process.nextTick(then as () => void);
    return true;
  };
  return {
    end() {
      stream.write = own;
      return Buffer.concat(chunks).toString('utf8');
    },
  };
}
