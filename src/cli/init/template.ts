// The project that `init` makes: the files of templates/project, with the project's name and the way to run this program.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EDITOR_TYPES_FILE } from './editor-types.ts';

// Two folders above src/cli/init and dist/cli/init alike.
const TEMPLATE = join(import.meta.dirname, '../../../templates/project');

/** What running the template in its place leaves behind, and what is made for each project. */
const LEFT_OUT: ReadonlySet<string> = new Set(['.headrace', 'node_modules', 'data', '__pycache__', EDITOR_TYPES_FILE]);

export interface TemplateValues {
  readonly project: string;
  /** The words that run a command: `headrace`, or npm with a clone's path. */
  readonly program: string;
  /** The word that runs a Node which reads TypeScript. */
  readonly node: string;
}

/** The template's files as text, by path. */
export async function readTemplate(values: TemplateValues): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(TEMPLATE, folder), { withFileTypes: true })) {
      if (LEFT_OUT.has(entry.name)) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) await walk(path);
      else files.set(nameOf(path), fillIn(path, await readFile(join(TEMPLATE, path), 'utf8'), values));
    }
  };
  await walk('');
  return files;
}

/** Makes folders as needed. */
export async function writeFiles(directory: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
}

// npm keeps files of that name out of a package, and goes by what they say.
function nameOf(path: string): string {
  return path === 'gitignore' ? '.gitignore' : path;
}

function fillIn(path: string, text: string, { project, program, node }: TemplateValues): string {
  // A function, so that `$` stands for itself.
  switch (path) {
    case 'headrace.config.ts':
      return text.replace(`project: 'shop'`, () => `project: '${project}'`);
    case 'package.json':
      return text.replace('"name": "shop"', () => `"name": "${project}"`);
    case 'README.md':
      return text
        .replace('# shop\n', () => `# ${project}\n`)
        .replaceAll(/^```sh\n[^]*?^```$/gm, (commands) =>
          commands.replaceAll(/^headrace (?=\S)/gm, () => `${program} `).replaceAll(/^node (?=\S)/gm, () => `${node} `),
        );
    default:
      return text;
  }
}
