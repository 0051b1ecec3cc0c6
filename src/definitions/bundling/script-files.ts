// What travels with a Python step: its script, the Python files beside and beneath it, which it may import, the text files
// there that one of them names, which it may read, and its requirements. By content, as bundles of functions do.

import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import { compareTexts, contentHash, HeadraceError, sha256Hex } from '../../core/index.ts';
import type { Definitions, Manifest, PipelineSpec, AppliedFile, StepAction, StepSpec } from '../manifest.ts';
import { namedFiles } from './named-paths.ts';

/** More of it than this is no code of the team's own. */
const MOST_FILES = 1000;
/** A larger file is data: it comes by a source or a training set, or by an absolute path. */
const MOST_BYTES = 1e6;
/** Of all that travel with a step: each is kept in the artifact store, and fetched by whoever runs it. */
const MOST_BYTES_IN_ALL = 10e6;
const LEFT_OUT = new Set(['node_modules', '__pycache__', 'data', 'site-packages']);
/** A folder with it is a virtual environment. */
const ENVIRONMENT = 'pyvenv.cfg';

/** The definitions with the files of their Python steps. Throws HR_DEFINITION where one is not there. */
export async function withScriptFiles(definitions: Definitions): Promise<Definitions> {
  const { manifest, directory } = definitions;
  const bundles = new Map(definitions.bundles);
  const pipelines: [string, PipelineSpec][] = [];
  for (const [name, pipeline] of Object.entries(manifest.pipelines)) {
    const steps: StepSpec[] = [];
    for (const step of pipeline.steps) steps.push(await withFiles(step, pipeline, directory, bundles));
    pipelines.push([name, { ...pipeline, steps }]);
  }
  const whole: Manifest = { ...manifest, pipelines: Object.fromEntries(pipelines) };
  return { ...definitions, manifest: whole, hash: contentHash(whole), bundles };
}

async function withFiles(
  step: StepSpec,
  pipeline: PipelineSpec,
  directory: string,
  bundles: Map<string, string>,
): Promise<StepSpec> {
  // A script elsewhere is that machine's own.
  if (step.action.kind !== 'python' || isAbsolute(step.action.script)) return step;
  const { requirements } = step.action;
  const action = {
    ...step.action,
    script: plain(step.action.script),
    ...(requirements === undefined ? {} : { requirements: plain(requirements) }),
  };
  const { paths, others } = await pathsOf(action, directory);
  const [outside] = paths.filter((path) => path.split('/').includes('..'));
  if (outside !== undefined) {
    throw unfit(step, pipeline, `takes ${outside}, which is outside the feature repository. Move it there.`);
  }
  if (paths.length > MOST_FILES) {
    const beside = dirname(action.script);
    const where = beside === '.' ? 'the feature repository' : beside;
    const many = `brings ${paths.length} Python files with it, all that lie in ${where}; at most ${MOST_FILES} travel`;
    throw unfit(step, pipeline, `${many}. Move the script and what it imports into a folder of their own.`);
  }
  const texts = new Map<string, string>();
  let bytes = 0;
  const add = (path: string, text: string): void => {
    texts.set(path, text);
    bytes += Buffer.byteLength(text);
    if (bytes <= MOST_BYTES_IN_ALL) return;
    const much = `brings more than ${MOST_BYTES_IN_ALL / 1e6} MB with it, and that much does not travel`;
    throw unfit(step, pipeline, `${much}. Let data come by a training set, or by an absolute path in args.`);
  };
  for (const path of paths) add(path, await readText(join(directory, path), path, step, pipeline));
  const known = new Set(others);
  const folders = ['.', dirname(action.script)];
  const named = [...texts].flatMap(([path, text]) => [...namedFiles(text, [...folders, dirname(path)], known)]);
  for (const path of new Set(named)) {
    const text = await readSmallText(join(directory, path), directory);
    if (text !== undefined) add(path, text);
    if (texts.size <= MOST_FILES) continue;
    const many = `brings more than ${MOST_FILES} files with it, text files that its Python files name among them`;
    throw unfit(step, pipeline, `${many}, and no more travel. Name fewer, or put them into one.`);
  }
  const files = [...texts].map(([path, text]): AppliedFile => ({ path, hash: sha256Hex(text) }));
  for (const text of texts.values()) bundles.set(sha256Hex(text), text);
  return { ...step, action: { ...action, files: files.toSorted((a, b) => compareTexts(a.path, b.path)) } };
}

/** Undefined where it is large, or no text; and where it is a link that leads to no file of the repository. */
async function readSmallText(path: string, directory: string): Promise<string | undefined> {
  const leadsTo = await realpath(path).catch(() => undefined);
  if (leadsTo === undefined || !leadsTo.startsWith(`${await realpath(directory)}${sep}`)) return undefined;
  const found = await stat(leadsTo);
  if (!found.isFile() || found.size > MOST_BYTES) return undefined;
  try {
    // As it is, with a mark of its byte order where it has one.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (thrown) {
    if (thrown instanceof TypeError) return undefined;
    throw thrown;
  }
}

async function pathsOf(
  { script, requirements }: Extract<StepAction, { kind: 'python' }>,
  directory: string,
): Promise<{ readonly paths: string[]; readonly others: readonly string[] }> {
  const others = new Set<string>();
  const paths = new Set([script]);
  if (requirements !== undefined && !isAbsolute(requirements)) paths.add(requirements);
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    if (entries.some(({ name }) => name === ENVIRONMENT)) return;
    for (const entry of entries) {
      if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      // A link may lead to code that several folders share.
      else if (entry.isFile() || entry.isSymbolicLink())
        (entry.name.endsWith('.py') ? paths : others).add(posix(relative(directory, path)));
    }
  };
  await walk(join(directory, dirname(script)));
  return { paths: [...paths].sort(), others: [...others].filter((path) => !paths.has(path)) };
}

async function readText(path: string, name: string, step: StepSpec, pipeline: PipelineSpec): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const sentence = `needs ${name}, which is not in the feature repository. Put it there, or correct the path.`;
    throw unfit(step, pipeline, sentence, cause);
  }
}

function unfit(step: StepSpec, pipeline: PipelineSpec, sentence: string, cause?: unknown): HeadraceError {
  return new HeadraceError('HR_DEFINITION', `step "${step.name}" of pipeline "${pipeline.name}" ${sentence}`, {
    cause,
  });
}

/** `./train.py` is `train.py`. */
function plain(path: string): string {
  return posix(normalize(path));
}

function posix(path: string): string {
  return path.split(sep).join('/');
}
