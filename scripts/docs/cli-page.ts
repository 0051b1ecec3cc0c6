// docs/reference/cli.md, from the commands' own help.

import { Command } from 'commander';
import { readEnvironment } from '../../src/app/index.ts';
import { baseCommand, type CliHost } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { silentProgress } from '../../src/core/index.ts';

const WIDTH = 100;

export async function cliPage(): Promise<string> {
  let written = '';
  const host: CliHost = {
    environment: readEnvironment({}),
    stdout: (text) => (written += text),
    stderr: () => {},
    progress: () => silentProgress,
    openApp: () => Promise.reject(new Error('help opens nothing')),
    exitCode: 0,
  };
  const help = (command: Command): string => {
    written = '';
    command.configureOutput({ getOutHelpWidth: () => WIDTH }).outputHelp();
    return written.trim();
  };
  const program = baseCommand('headrace', '', host);
  const sections: string[] = [];
  for (const { load } of COMMANDS) {
    const command = (await load())(host);
    program.addCommand(command);
    const leaves = command.commands.length === 0 ? [command] : command.commands;
    sections.push(`## ${command.name()}\n\n${sentence(command.description())}`);
    for (const leaf of leaves) {
      if (leaf !== command) sections.push(`### ${command.name()} ${leaf.name()}`);
      sections.push(`\`\`\`text\n${help(leaf)}\n\`\`\``);
    }
  }
  return `# The command line

<!-- Written by \`npm run docs\` from the commands in src/cli. -->

In this repository: \`npm run -s headrace -- COMMAND …\`. Every command takes \`--json\` (one JSON document on stdout, everything else on
stderr; int64 values keep all their digits), \`--config FILE\` and \`--help\`. Exit codes: 0 done, 1 failed, 2 wrong usage; of
\`plan\` more, see there. What goes
wrong is printed as \`CODE: sentence\`; [errors.md](errors.md) lists the codes.

${sections.join('\n\n')}
`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
