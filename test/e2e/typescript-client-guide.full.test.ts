// The guide on the TypeScript client, typed from top to bottom beside a server, and its programs by the compiler.
// twin: test/integration/client.test.ts > predictions
// twin: test/unit/client-type.test.ts > has the columns of each endpoint, service and source by its own name

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createServingProject();
  mkdirSync(project.file('node_modules/@types'), { recursive: true });
  symlinkSync(ROOT, project.file('node_modules/headrace'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), project.file('node_modules/@types/node'));
  const node = `exec '${process.execPath}' --conditions=headrace-source --disable-warning=MODULE_TYPELESS_PACKAGE_JSON`;
  chmodSync(project.write('.bin/node', `#!/bin/sh\n${node} "$@"\n`), 0o755);
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('shows what its programs print, and they compile', () => {
  const shown = runGuide(join(ROOT, 'docs/guides/typescript-client.md'), project, { HEADRACE_URL: server.url });
  expect(shown.length).toBe(4);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  // As a user's project has it, without this repository's own options.
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2024',
    module: 'nodenext',
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    types: ['node'],
    customConditions: ['headrace-source'],
  };
  project.write('package.json', '{"type":"module"}');
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['ask.ts', 'read.ts', 'sell.ts'] }));
  const compile = () => {
    const run = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project.directory], { encoding: 'utf8' });
    return run.stdout;
  };
  expect(compile()).toBe('');
  // Mistakes are told in words that name them.
  const wrong = [
    "await client.predict('chekout', { customer: 'ada' });",
    "await client.predict('checkout', { amount: 1 });",
    "await client.predict('checkout', { customer: 'ada', amont: 1 });",
    "await client.predictMany('checkout', [{ customer: 'ada', amount: 'much' }]);",
  ];
  const head = "import { createClient } from 'headrace/client';\nimport { api } from './headrace-api.ts';\n";
  project.write('ask.ts', `${head}const client = createClient({ url: 'http://x', api });\n${wrong.join('\n')}\n`);
  const told = compile().split('\n');
  for (const [line, words] of [
    [4, `Argument of type '"chekout"' is not assignable to parameter of type '"checkout"'`],
    [5, `Property 'customer' is missing in type '{ amount: number; }'`],
    [6, `'amont' does not exist in type`],
    [7, `Type 'string' is not assignable to type 'number'`],
  ] as const) {
    expect(told.find((one) => one.includes(`ask.ts(${line},`))).toContain(words);
  }
  expect(told.join('\n')).toContain("Did you mean to write 'amount'?");
}, 200_000);
