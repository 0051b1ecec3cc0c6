// Every command line that the README and the guides show is one the program takes: its words, and each of its options.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

interface Shown {
  readonly page: string;
  readonly line: string;
}

function shownCommands(): Shown[] {
  const guides = readdirSync(join(root, 'docs/guides')).map((name) => `docs/guides/${name}`);
  return ['README.md', 'CONTRIBUTING.md', ...guides].flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8').replaceAll(/\\\n\s*/g, ' ');
    const lines = [...text.matchAll(/^(?:\$ )?npm run -s headrace -- (.+?)(?:\s+#.*)?$/gm)];
    return lines.map(([, line]) => ({ page, line: line as string }));
  });
}

const scripts = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> })
  .scripts;
const commands = shownCommands();

describe('what the documentation shows', () => {
  it('shows commands', () => {
    expect(commands.length).toBeGreaterThan(10);
  });

  it.each(commands)('$page: headrace $line', async ({ line }) => {
    const words = line.match(/'[^']*'|\S+/g) ?? [];
    const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
    const path = words.slice(0, end === -1 ? words.length : end);
    const { stdout } = await run(process.execPath, [join(root, 'src/cli/main.ts'), ...path, '--help']);
    // The usage line names the whole command, so a word that was taken for an argument shows.
    expect(stdout).toContain(path[0]);
    for (const option of words.filter((word) => word.startsWith('--'))) {
      expect(stdout).toContain(option.split('=')[0]);
    }
  });

  it.each(['README.md', 'CONTRIBUTING.md'])('%s names only npm scripts that exist', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    for (const [, name] of text.matchAll(/npm run (?:-s )?([a-z:-]+)/g))
      expect(scripts).toHaveProperty([name as string]);
  });

  it.each([...new Set(['README.md', ...commands.map(({ page }) => page)])])(
    '%s links only to pages that exist',
    (page) => {
      const text = readFileSync(join(root, page), 'utf8');
      for (const [, target] of text.matchAll(/\]\(([^)#:]+)\)/g)) {
        const path = join(root, dirname(page), target as string);
        expect(existsSync(path), `${page} → ${target}`).toBe(true);
      }
    },
  );
});
