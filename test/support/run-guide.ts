// Runs a guide: its files, diffs and commands, and holds what it shows under a command against what that printed.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { type CommandOutput, headrace, MAIN, type Project } from './serving-project.ts';

export interface Shown {
  /** The command line under which it is shown. */
  readonly command: string;
  /** What the guide shows, and what was printed; hashes, which differ from run to run, are all alike. */
  readonly shown: string;
  readonly printed: string;
}

interface Block {
  readonly language: string;
  readonly text: string;
}

/**
 * Runs the blocks of a guide in order: plain command lines by the file's warm process, others by a shell. Throws where a
 * command fails; a plan's codes for changes are none.
 */
export function runGuide(page: string, project: Project, env: Readonly<Record<string, string>> = {}): readonly Shown[] {
  const shown: Shown[] = [];
  let last: { readonly command: string; readonly stdout: string } | undefined;
  for (const { language, text } of blocksOf(readFileSync(page, 'utf8'))) {
    const [head = '', ...rest] = text.split('\n');
    const file = /^\/\/ (\S+)$/.exec(head)?.[1];
    const write = (path: string): unknown => project.write(path, rest.join('\n'));
    if (language === 'ts' && file !== undefined) write(`feature_repo/${file}`);
    else if (language === 'py' && head.startsWith('# ')) write(`feature_repo/${head.slice(2)}`);
    // Programs beside the feature repository.
    else if ((language === 'js' || language === 'typescript') && file !== undefined) write(file);
    else if (language === 'yaml' && /^# \S+\.yaml$/.test(head)) write(head.slice(2));
    else if (language === 'diff' && file !== undefined) applyDiff(project, file, rest);
    else if (language === 'sh')
      for (const line of commandsOf(text)) {
        if (IS_LOGGED.test(last?.command ?? '') && plainWords(line) !== undefined) waitMs(LOG_WRITTEN_MS);
        last = { command: line, stdout: type(line, project, env) };
      }
    else if (language === '' && last !== undefined) {
      shown.push({ command: last.command, shown: alike(text), printed: alike(last.stdout) });
    }
  }
  return shown;
}

/** Writes the files of a guide, runs other commands than it does, and takes its first change. */
export function startGuide(page: string, project: Project, commands: readonly string[]): void {
  const blocks = blocksOf(readFileSync(page, 'utf8'));
  for (const { language, text } of blocks) {
    const [head = '', ...rest] = text.split('\n');
    const file = /^\/\/ (\S+)$/.exec(head)?.[1];
    if (language === 'ts' && file !== undefined) project.write(`feature_repo/${file}`, rest.join('\n'));
  }
  for (const command of commands) type(command, project, {});
  const change = blocks.find(({ language }) => language === 'diff');
  const [head = '', ...rest] = change?.text.split('\n') ?? [];
  applyDiff(project, head.replace('// ', ''), rest);
}

/** The blocks of one language in a guide, by its file's name. */
export function guideBlocks(name: string, language: string): string[] {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/guides', name), 'utf8');
  return blocksOf(guide).flatMap((block) => (block.language === language ? [block.text] : []));
}

// A block that shows one has a longer fence.
function blocksOf(guide: string): Block[] {
  const blocks = guide.matchAll(/^(`{3,})(\w*)\n([\s\S]*?)^\1$/gm);
  return Array.from(blocks, ([, , language = '', text = '']) => ({ language, text }));
}

function commandsOf(text: string): string[] {
  // A block of the shell's own words is one command.
  if (/^(if|case|for|\w+=)/m.test(text)) return [text];
  const lines = text.replaceAll(/\\\n\s*/g, ' ').split('\n');
  return lines.filter((line) => line.trim() !== '');
}

function applyDiff(project: Project, file: string, lines: readonly string[]): void {
  const path = project.file(`feature_repo/${file}`);
  const side = (sign: string): string =>
    lines.flatMap((line) => (line.startsWith(sign) || line.startsWith(' ') ? [line.slice(1)] : [])).join('\n');
  const before = readFileSync(path, 'utf8');
  if (!before.includes(side('-'))) throw new Error(`${file} has no such lines:\n${side('-')}`);
  const after = before.replace(side('-'), () => side('+'));
  writeFileSync(path, after);
}

/** What a server has in its log within a second: nobody types the next command sooner. */
const IS_LOGGED = /\/(?:predict|outcomes)\b/;
const LOG_WRITTEN_MS = 1500;

function waitMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function type(line: string, project: Project, given: Readonly<Record<string, string>>): string {
  const env = { FORCE_COLOR: '0', ...given };
  const words = plainWords(line);
  const run = words === undefined ? typeInShell(line, project, env) : headrace(project, words, env);
  const isPlanned = line.startsWith('headrace plan') && (run.code === 2 || run.code === 3);
  if (run.code !== 0 && !isPlanned) throw new Error(`${line}\ngave ${run.code}: ${run.stdout}${run.stderr}`);
  return run.stdout;
}

/** What `headrace` is given on a line that has nothing for a shell to do but take off single quotes; undefined on others. */
function plainWords(line: string): readonly string[] | undefined {
  const isPlain = /^headrace(?: +(?:'[^']*'|[\w@%+=:,./-]+))*$/.test(line);
  if (!isPlain) return undefined;
  return [...line.slice('headrace'.length).matchAll(/'([^']*)'|[^ ']+/g)].map(([word, quoted]) => quoted ?? word);
}

/** As on a machine where `headrace` is on the PATH. */
function typeInShell(line: string, project: Project, env: Readonly<Record<string, string>>): CommandOutput {
  const bin = join(project.directory, '.bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'headrace'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(join(bin, 'headrace'), 0o755);
  const path = { PATH: `${bin}${delimiter}${process.env['PATH']}` };
  const options = { cwd: project.directory, encoding: 'utf8', timeout: 120_000 } as const;
  const run = spawnSync('bash', ['-c', line], {
    ...options,
    env: { ...process.env, npm_lifecycle_event: '', ...env, ...path },
  });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

function alike(text: string): string {
  const lengths = text.trimEnd().replaceAll(/\b[0-9a-f]{12}\b/g, 'hash12');
  return lengths.replaceAll(/\b[0-9a-f]{8}\b/g, 'hash8');
}

/** The newest run of the project, as `runs show --json` has it. */
export function newestRun(project: Project, env: Readonly<Record<string, string>>): unknown {
  const said = (...words: readonly string[]): unknown =>
    JSON.parse(headrace(project, [...words, '--json'], env).stdout);
  const { runs } = said('runs', 'list') as { readonly runs: readonly { readonly id: string }[] };
  return said('runs', 'show', runs[0]?.id ?? '');
}
