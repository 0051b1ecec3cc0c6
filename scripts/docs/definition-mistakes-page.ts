// docs/reference/definition-mistakes.md: each example is loaded as a feature repository of its own, and its row is what that
// says.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErrorDetail, HeadraceError } from '../../src/core/index.ts';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { BASE, MISTAKES } from './definition-mistakes.ts';

const NAMES =
  'container, count, csv, delta, drift, endpoint, ensembleNode, entity, evaluate, experiment, featureService, featureView, functionNode, grid, iceberg, kafka, lastN, latest, materialize, materialized, mean, metric, model, modelNode, notebook, onDemandView, parquet, pipeline, postgres, predict, promote, pushed, python, query, range, registerModel, rollout, routerNode, shell, sum, t, task, trainingSet';
const IMPORTS = `import { ${NAMES} } from 'headrace';
import { airport, delays, flights, graphOf, made, onDemand, scored, scores, service, source, steps, trial } from './base.ts';
void [airport, delays, flights, graphOf, made, onDemand, scored, scores, service, source, steps, trial];
`;

/** An example's mistakes; none when it compiles. */
export async function mistakesOfExample(code: string): Promise<readonly ErrorDetail[]> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-mistakes-'));
  try {
    await writeFile(join(folder, 'base.ts'), BASE);
    await writeFile(
      join(folder, 'example.ts'),
      `${IMPORTS}${/\bexport (const|default)\b/.test(code) ? code : `export default ${code}`}`,
    );
    await loadDefinitions(folder, 'mistakes');
    return [];
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_DEFINITION') return error.details;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** `mistakesOf`: what an example has wrong, for who has asked already. */
export async function definitionMistakesPage(mistakesOf = mistakesOfExample): Promise<string> {
  const sections: string[] = [];
  for (const { title, examples } of MISTAKES) {
    const rows: string[] = [];
    for (const code of examples) {
      const said = (await mistakesOf(code)).map(({ path, message }) => sentence(path, message));
      rows.push(`| ${cell(code)} | ${said.join('<br>')} |`);
    }
    sections.push(`## ${title}\n| written | said |\n|---|---|\n${rows.join('\n')}\n`);
  }
  return `# Mistakes in definitions

<!-- Written by \`npm run docs\` from scripts/docs/definition-mistakes.ts. -->

What a feature repository can have wrong, each with an example and what is said of it (\`HR_DEFINITION\`). All of them are
told at once, each with its file, line and column ([more](../guides/definitions.md#mistakes)); those are left out here. The
compiler of TypeScript sees most of them sooner. The examples import from this file:

\`\`\`ts
${BASE}\`\`\`

${sections.join('\n')}`;
}

function sentence(path: string, message: string): string {
  // The place is that of the file that was written for it.
  const title = path.replace(/^[\w.]+(:\d+)*(: )?/, '');
  const said = message
    .replaceAll(/ in (example|base)\.ts:\d+:\d+/g, ' in FILE:LINE:COLUMN')
    // What comes then are words of the platform, which change with it.
    .replace(/^(it cannot be read|it threw while it was imported): .*/, '$1: …');
  return text(`${title}${title === '' ? '' : ': '}${said}`);
}

function cell(code: string): string {
  const short = code.replace(/'(x{20})x+'/, "'$1…'");
  return `\`${short.replaceAll('|', '\\|')}\``;
}

// Words of the sentence must not become marks of the page.
function text(plain: string): string {
  return plain.replaceAll(/[\\|<*_[\]]/g, String.raw`\$&`);
}
