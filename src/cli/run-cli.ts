// Runs one command line: picks the command, parses, prints errors, gives the exit code (0 done, 1 failed, 2 wrong usage; what
// else a command gives, its help says).

import { type Command, CommanderError } from 'commander';
import { readEnvironment } from '../app/index.ts';
import { HeadraceError, ownVersion, stringifyJson, toHeadraceError, withoutKeySecrets } from '../core/index.ts';
import { baseCommand, type CliHost, withSharedOptions } from './command.ts';
import { COMMANDS } from './commands.ts';
import { paintOn } from './paint.ts';

/** Runs the command line of this process. */
export async function runCli(argv: readonly string[]): Promise<number> {
  endWithReader();
  const host: CliHost = {
    environment: readEnvironment(),
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    progress: () => ({ start: () => {}, advance: () => {}, done: () => {} }),
    openApp: async (options) => (await import('../app/index.ts')).openApp(options),
    paint: (stream) => paintOn(process[stream]),
    exitCode: 0,
  };
  const { lineProgress, terminalProgress } = await import('./progress.ts');
  const isExact = argv.includes('--json');
  const progress = () => (process.stderr.isTTY ? terminalProgress() : lineProgress(host.stderr, isExact));
  return runCommandLine(argv, { ...host, progress });
}

/**
 * `headrace runs logs ID | head` ends as a shell's own commands do, without a word and with 141: what was asked for has no reader.
 * Lines of progress have none to lose: what goes on goes on without them.
 */
function endWithReader(): void {
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 141 : 1));
  process.stderr.on('error', () => {});
}

/** The same with the host given: where text goes, who opens the app. */
export async function runCommandLine(typed: readonly string[], host: CliHost): Promise<number> {
  const argv = helpAsOption(typed);
  const isJson = argv.includes('--json');
  const program = withSharedOptions(
    baseCommand('headrace', 'A feature store and model server: one definition, offline and online.', host),
  );
  try {
    program.enablePositionalOptions().usage('COMMAND [options]').option('-V, --version', 'print the version');
    program.addHelpText(
      'after',
      '\nExample:\n  headrace training-set create --service delay_features --spine spine.parquet \\\n      --timestamp scheduled_at --label late --out train.parquet',
    );
    const chosen = commandWord(argv);
    if (chosen === undefined && argv.some((word) => word === '--version' || word === '-V')) {
      const version = await ownVersion();
      host.stdout(isJson ? `${stringifyJson({ version })}\n` : `${version}\n`);
      return 0;
    }
    for (const { name, summary, load } of COMMANDS) {
      program.addCommand(name === chosen ? (await load())(host) : baseCommand(name, summary, host));
    }
    if (argv.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    // Help about a command that isn't there would be that of the whole program, and pass for an answer.
    const isUnknown = chosen !== undefined && !isCommandName(chosen);
    const words = isUnknown ? argv.filter((word) => word !== '--help' && word !== '-h') : [...argv];
    await program.parseAsync(words, { from: 'user' });
    return host.exitCode;
  } catch (thrown) {
    return report(thrown, hintOf(program, commandWord(argv)), isJson, host);
  }
}

/** `help`, and `help keys create`, as `--help` after what it is about. */
function helpAsOption(argv: readonly string[]): readonly string[] {
  const word = commandWord(argv);
  return word === 'help' ? [...argv.toSpliced(argv.indexOf(word), 1), '--help'] : argv;
}

/** After a command that isn't there: those that are, of the group that was named or of all. */
function hintOf(program: Command, chosen: string | undefined): string {
  const group = program.commands.find((command) => command.name() === chosen);
  const of = group === undefined ? '' : ` of ${group.name()}`;
  return `The commands${of} are ${(group ?? program).commands.map((command) => command.name()).join(', ')}.`;
}

// The first word that is neither an option nor an option's value.
function commandWord(argv: readonly string[]): string | undefined {
  return argv.find((word, at) => !word.startsWith('-') && argv[at - 1] !== '--config');
}

function isCommandName(word: string | undefined): boolean {
  return COMMANDS.some(({ name }) => name === word);
}

function report(thrown: unknown, commandsHint: string, isJson: boolean, host: CliHost): number {
  if (thrown instanceof CommanderError) {
    if (thrown.exitCode === 0) return 0;
    if (thrown.code === 'commander.help') {
      // Commander has printed the forms on stderr; a program reads the document.
      if (isJson)
        printError(new HeadraceError('HR_USAGE', 'a command is missing. `--help` shows the forms.'), true, host);
      return 2;
    }
    const sentence = thrown.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const hint = thrown.code === 'commander.unknownCommand' ? commandsHint : '`--help` shows the forms.';
    const message = `${sentence}${/[.?)]$/.test(sentence) ? '' : '.'} ${hint}`;
    printError(new HeadraceError('HR_USAGE', message), isJson, host);
    return 2;
  }
  const error = toHeadraceError(thrown);
  printError(error, isJson, host);
  return error.code === 'HR_USAGE' ? 2 : 1;
}

function printError(error: HeadraceError, isJson: boolean, host: CliHost): void {
  const { code } = error;
  // What was typed is repeated: a whole key may have been pasted, and terminals keep what they show.
  const message = withoutKeySecrets(error.message);
  const details = error.details.map((detail) => ({ ...detail, message: withoutKeySecrets(detail.message) }));
  if (isJson) host.stdout(`${stringifyJson({ error: { code, message, details } })}\n`);
  // Many a sentence names its only detail, or lists them all: nothing is said twice.
  const isSaid = details.every((detail) => message.includes(detail.message));
  const list = isSaid ? [] : details.map(({ path, message: what }) => `  - ${path}: ${what}\n`);
  host.stderr(`${code}: ${message}\n${list.join('')}`);
}
