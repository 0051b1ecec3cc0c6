// What users see in their editor: right definitions compile, wrong ones don't, and the message says what is wrong.
// All snippets are one project, compiled once by the real compiler.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { accepted, preamble, refused } from './snippets.ts';
import { folderOfFile } from '../support/new-folder.ts';
import { COMPILER_OPTIONS, compile } from '../support/template-project.ts';

const folder = folderOfFile();
let problems: ReadonlyMap<string, string>;

beforeAll(async () => {
  const compilerOptions = { ...COMPILER_OPTIONS, exactOptionalPropertyTypes: true, noErrorTruncation: true };
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  await writeFile(join(folder, 'base.ts'), preamble);
  const all = { ...accepted, ...refused };
  for (const [at, snippet] of Object.values(all).entries()) {
    const code = typeof snippet === 'string' ? snippet : snippet.code;
    await writeFile(
      join(folder, `snippet${at}.ts`),
      `import { ${everyName} } from 'headrace';\nimport { ${everyBase} } from './base.ts';\n${code}\nexport {};\n`,
    );
  }
  problems = byFile(compile(folder), Object.keys(all));
});

const everyName =
  'container, count, countDistinct, csv, defineConfig, delta, drift, endpoint, ensembleNode, entity, evaluate, experiment, featureService, featureView, first, functionNode, grid, iceberg, kafka, last, lastN, latest, materialize, materialized, max, mean, metric, min, model, modelNode, mysql, notebook, onDemandView, parquet, pipeline, postgres, predict, promote, pushed, python, query, range, registerModel, rollout, routerNode, shell, snowflake, sql, stddev, sum, t, task, trainingSet, variance';
const everyBase = 'airport, airportDelays, departure, flights, route, routeDelays, service, delayModel, delayEndpoint';

/** The compiler's output by snippet name: an error's first line, and those indented under it. */
function byFile(output: string, names: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  let current = '';
  for (const line of output.split('\n')) {
    const match = /(?:^|\/)(snippet(\d+)|base)\.ts\(/.exec(line);
    if (match !== null) current = match[2] === undefined ? 'base' : (names[Number(match[2])] ?? '');
    else if (!line.startsWith(' ')) current = line === '' ? '' : 'elsewhere';
    if (line !== '') found.set(current, `${found.get(current) ?? ''}${line}\n`);
  }
  return found;
}

describe('what users write', () => {
  it('has a base that compiles', () => {
    expect(problems.get('base')).toBeUndefined();
    expect(problems.get('elsewhere')).toBeUndefined();
  });

  it.each(Object.keys(accepted))('compiles: %s', (name) => {
    expect(problems.get(name)).toBeUndefined();
  });

  it.each(Object.entries(refused))('does not compile: %s', (name, { message }) => {
    const got = problems.get(name);
    expect(got).toBeDefined();
    for (const part of message) expect(got).toContain(part);
  });
});
