// `npm run check`: format, lint, types, unused code, architecture, side by side. Each step that fails says how to fix it.

import { spawn } from 'node:child_process';
import { delimiter, resolve } from 'node:path';

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  readonly fix: string;
}

const STEPS: readonly Step[] = [
  { name: 'lint', command: ['oxlint', '--quiet'], fix: 'change the lines it names; the rules are in .oxlintrc.json' },
  { name: 'types', command: ['tsc', '--noEmit'], fix: 'change the lines it names' },
  {
    name: 'example types',
    command: ['tsc', '-p', 'feature_repo'],
    fix: 'what users write must compile unmodified: change the lines it names, or mend src/definitions/authoring',
  },
  {
    name: 'template types',
    command: ['tsc', '-p', 'templates/project'],
    fix: 'what `headrace init` copies must compile as it lies there',
  },
  { name: 'format', command: ['biome', 'format', '.'], fix: 'run `npm run format`' },
  {
    name: 'unused code',
    command: ['knip', '--no-progress'],
    fix: 'delete what it names, or use it; entries are in knip.json',
  },
  {
    name: 'twins of full tests',
    command: ['node', 'scripts/check-twins.ts'],
    fix: 'name a quick test that proves the same behaviour, or write one; CONTRIBUTING.md says how',
  },
  {
    name: 'architecture',
    command: ['vitest', 'run', 'test/architecture'],
    fix: 'the rules are in test/architecture/layers.ts and CONTRIBUTING.md',
  },
];

const root = resolve(import.meta.dirname, '..');
const path = `${resolve(root, 'node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}`;

interface Result {
  readonly step: Step;
  readonly code: number;
  readonly seconds: number;
  readonly output: string;
}

function runStep(step: Step): Promise<Result> {
  const started = performance.now();
  const [program = '', ...args] = step.command;
  return new Promise((done) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, PATH: path, NO_COLOR: '1' },
      shell: process.platform === 'win32',
    });
    let output = '';
    const take = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const end = (code: number): void => done({ step, code, seconds: (performance.now() - started) / 1000, output });
    child.on('error', (error) => {
      output += `${error.message}\nRun \`npm install\` first.\n`;
      end(1);
    });
    child.on('close', (code) => end(code ?? 1));
  });
}

/** Two at a time: as many as the smallest machines have cores. */
async function runAll(): Promise<readonly Result[]> {
  const waiting = [...STEPS];
  const results: Result[] = [];
  const work = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const result = await runStep(step);
      results.push(result);
      process.stdout.write(`${result.code === 0 ? 'ok  ' : 'FAIL'} ${step.name} (${result.seconds.toFixed(1)} s)\n`);
    }
  };
  await Promise.all([work(), work()]);
  return results;
}

const failed = (await runAll()).filter((result) => result.code !== 0);
for (const { step, output } of failed) {
  process.stdout.write(`\n--- ${step.name}: ${step.command.join(' ')}\n${output.trimEnd()}\nTo fix: ${step.fix}.\n`);
}
process.stdout.write(
  failed.length === 0 ? 'check passed\n' : `\ncheck failed: ${failed.map(({ step }) => step.name).join(', ')}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
