// A command sends nothing to the makers of its libraries: what they look for is set before they are loaded.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** What a child of a command finds in its environment: what the native part of a library finds in the command's own. */
function environmentBelow(variables: Readonly<Record<string, string>>): string {
  const program = `
    process.argv = [process.argv[0], ${JSON.stringify(MAIN)}, '--version'];
    await import(${JSON.stringify(MAIN)});
    const { spawnSync } = await import('node:child_process');
    console.log(spawnSync('env', { encoding: 'utf8' }).stdout);`;
  const args = ['--conditions=headrace-source', '--input-type=module', '--eval', program];
  const { ORT_DISABLE_TELEMETRY: _, ...own } = process.env;
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...own, ...variables } }).stdout;
}

it('turns the telemetry of ONNX Runtime off, unless it is asked for', () => {
  expect(environmentBelow({})).toMatch(/^ORT_DISABLE_TELEMETRY=1$/m);
  expect(environmentBelow({ ORT_DISABLE_TELEMETRY: '0' })).toMatch(/^ORT_DISABLE_TELEMETRY=0$/m);
});
