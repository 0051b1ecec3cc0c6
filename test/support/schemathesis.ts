// Schemathesis, which makes requests from an OpenAPI document and judges the answers.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bringPackages } from './python-packages.ts';

const VERSION = '4.32.5';

export interface Schemathesis {
  /** Runs it against a document's URL, in `directory`. It is killed after `limitSeconds`, a net: `examples` bounds the requests. */
  run(url: string, options: RunOptions): Promise<{ readonly code: number | null; readonly output: string }>;
}

export interface RunOptions {
  readonly directory: string;
  readonly limitSeconds: number;
  /** Of each operation, beside those for each value of each parameter. */
  readonly examples: number;
  readonly checks: readonly string[];
  /** A streaming answer never ends. */
  readonly excludedPaths: readonly string[];
  /** By name; sent as they are where an operation takes them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Installs it where it isn't yet; the reason, where that can't be. */
export function bringSchemathesis(): Schemathesis | string {
  const brought = bringPackages(`schemathesis-${VERSION}`, [`schemathesis==${VERSION}`]);
  if (typeof brought === 'string') return brought;
  const program = join(brought.bin, 'schemathesis');
  return {
    run(url, options) {
      const { directory, limitSeconds, examples, checks, excludedPaths, headers } = options;
      const config = join(directory, 'schemathesis.toml');
      const fixed = Object.entries(headers).map(([name, value]) => `"header.${name}" = ${JSON.stringify(value)}\n`);
      writeFileSync(config, `[parameters]\n${fixed.join('')}`);
      const limits = `--max-examples ${examples} --seed 1 --generation-database none`;
      const told = '--phases examples,coverage,fuzzing --continue-on-failure --warnings off --no-color';
      const words = [
        '--config-file',
        config,
        'run',
        url,
        ...`${told} ${limits} --checks ${checks.join(',')}`.split(' '),
        ...excludedPaths.flatMap((path) => ['--exclude-path', path]),
      ];
      return runToEnd(program, words, directory, limitSeconds * 1000);
    },
  };
}

function runToEnd(
  program: string,
  words: readonly string[],
  directory: string,
  limitMs: number,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(program, words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
