// How a command is made: its forms, its example, and what it prints. Every command goes through here, so that --json,
// --config, errors and exit codes are the same everywhere.

import { resolve } from 'node:path';
import { Command } from 'commander';
import type { App, Environment, OpenAppOptions } from '../app/index.ts';
import { HeadraceError, type Progress, stringifyJson } from '../core/index.ts';
import type { DatabaseAccess } from '../storage/index.ts';
import { type Paint, plain } from './paint.ts';

/** What a command found or did. With --json, `json` is printed as one document; else `text`. */
export interface CommandResult {
  readonly json: unknown;
  readonly text: string;
  /** 1 when the command did its work and the answer is "no" (doctor, audit). The others mean what its `exitCodes` say. */
  readonly exitCode?: 0 | 1 | 2 | 3 | 75 | 78;
}

/** What a command may want otherwise than others. */
export type OpenedFor = Pick<OpenAppOptions, 'queryTimeoutMs' | 'leaveDeadSpill' | 'places'>;

export interface CommandContext {
  readonly environment: Environment;
  readonly isJson: boolean;
  readonly progress: Progress;
  /**
   * Opens the app by --config or the working directory; closed when the command ends. What changes nothing asks to `read`: it
   * may be run by who must not change the registry, and by another version of Headrace than the servers. What has no use for an
   * empty registry asks to `join` one that is there, so that a mistyped place makes none. Asked again it gives
   * the same, but to `write` never one that was opened for less.
   */
  app(access?: DatabaseAccess, options?: OpenedFor): Promise<App>;
  /** A path that the user typed, absolute. */
  path(typed: string): string;
  /** Prints a result now, for a command that goes on; what it returns in the end is then not printed. */
  announce(result: CommandResult): void;
  /** Tells the user something on stderr. */
  tell(line: string): void;
  /** Colour, for text that goes to one of the two. */
  paint(stream: 'stdout' | 'stderr'): Paint;
}

/** Values of options by commander's names; each command knows its own. */
export type CommandOptions = Readonly<Record<string, unknown>>;

export interface CommandSpec {
  /** Name and arguments: `push <source> <file>`. */
  readonly usage: string;
  readonly summary: string;
  readonly example: string;
  /** What the columns of its table mean, where their heads don't tell. */
  readonly columns?: Readonly<Record<string, string>>;
  /** What its exit codes mean, where there are more than those of every command. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** What else its help says. */
  readonly notes?: string;
  /** Adds the command's own options. */
  readonly options?: (command: Command) => void;
  readonly run: (context: CommandContext, args: readonly string[], options: CommandOptions) => Promise<CommandResult>;
}

/** What stands between commander and the process; main and the tests give their own. */
export interface CliHost {
  readonly environment: Environment;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly progress: () => Progress;
  readonly openApp: (options: Pick<OpenAppOptions, 'config' | 'access'> & OpenedFor) => Promise<App>;
  /** Left out: no colour. */
  readonly paint?: (stream: 'stdout' | 'stderr') => Paint;
  exitCode: number;
}

export interface DefineCommand {
  (host: CliHost): Command;
  readonly example: string;
}

/** One command. */
export function defineCommand(spec: CommandSpec): DefineCommand {
  const define = (host: CliHost): Command => {
    const [name = '', ...args] = spec.usage.split(' ');
    const command = baseCommand(name, spec.summary, host);
    for (const argument of args) command.argument(argument);
    spec.options?.(command);
    withSharedOptions(command);
    if (spec.columns !== undefined) command.addHelpText('after', `\nColumns:\n${describeWords(spec.columns)}`);
    if (spec.exitCodes !== undefined) command.addHelpText('after', `\nExit codes:\n${describeWords(spec.exitCodes)}`);
    if (spec.notes !== undefined) command.addHelpText('after', `\n${spec.notes}`);
    withExample(command, spec.example);
    command.action(async () => {
      host.exitCode = await runSpec(spec, command, host);
    });
    return command;
  };
  return Object.assign(define, { example: spec.example });
}

function describeWords(words: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(words).map(({ length }) => length));
  return Object.entries(words)
    .map(([name, what]) => `  ${name.padEnd(width)}  ${what}`)
    .join('\n');
}

/** Commands under one word: `training-set create | list`. */
export function defineGroup(name: string, summary: string, commands: readonly DefineCommand[]): DefineCommand {
  // The first of each.
  const example = commands.map((define) => define.example.replace(/\n.*/s, '')).join('\n');
  const define = (host: CliHost): Command => {
    const group = withSharedOptions(baseCommand(name, summary, host));
    for (const member of commands) group.addCommand(member(host));
    return withExample(group, example);
  };
  return Object.assign(define, { example });
}

function withExample(command: Command, example: string): Command {
  const word = example.includes('\n') ? 'Examples' : 'Example';
  return command.addHelpText('after', `\n${word}:\n  ${example.replaceAll('\n', '\n  ')}`);
}

/** A command of commander that throws where it would exit, and writes to the host. */
export function baseCommand(name: string, summary: string, host: CliHost): Command {
  return new Command(name)
    .description(summary)
    .exitOverride()
    .helpCommand(false)
    .showHelpAfterError(false)
    .configureOutput({ writeOut: host.stdout, writeErr: host.stderr, outputError: () => {} });
}

export function withSharedOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on stdout, all else on stderr')
    .option('--config <file>', 'the configuration file (default: headrace.config.ts here or in a parent folder)');
}

async function runSpec(spec: CommandSpec, command: Command, host: CliHost): Promise<number> {
  const options: CommandOptions = command.optsWithGlobals();
  const isJson = options['json'] === true;
  /** By what it may do; the last opened first. */
  const opened: { readonly access: DatabaseAccess; readonly app: App }[] = [];
  let isPrinted = false;
  const print = (result: CommandResult): void => {
    isPrinted = true;
    if (isJson) host.stdout(`${stringifyJson(result.json)}\n`);
    else if (result.text !== '') host.stdout(`${result.text}\n`);
  };
  const context: CommandContext = {
    environment: host.environment,
    isJson,
    progress: host.progress(),
    path: (typed) => resolve(host.environment.workingDirectory, typed),
    announce: print,
    tell: (line) => host.stderr(`${line}\n`),
    paint: (stream) => host.paint?.(stream) ?? plain,
    async app(access = 'write', more = {}) {
      const fit = opened.find((one) => one.access === 'write' || one.access === access);
      if (fit !== undefined) return fit.app;
      const app = await host.openApp({ config: options['config'] as string | undefined, access, ...more });
      opened.unshift({ access, app });
      return app;
    },
  };
  try {
    const result = await spec.run(
      context,
      command.processedArgs.flat().filter((arg) => arg !== undefined) as string[],
      options,
    );
    if (!isPrinted) print(result);
    return result.exitCode ?? 0;
  } finally {
    for (const { app } of opened) await app.close();
  }
}

/** The value of an option that the command declared as text. */
export function textOption(options: CommandOptions, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** Wrong usage that commander's own checks do not see: exit code 2. */
export function usageError(sentence: string): HeadraceError {
  return new HeadraceError('HR_USAGE', sentence);
}

/** For options that may come several times. */
export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}
