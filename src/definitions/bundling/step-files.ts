// What travels with a step: of a script, or a notebook, the Python files beside and beneath it that it imports, the text
// files there that one of them names, which it may read, and its requirements with what these take in; of a command, what its words
// name and what it lists. By content, as bundles of functions do.

import { existsSync, readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { contentHash, sha256Hex } from '../../core/index.ts';
import type { StepAction } from '../actions/action-kinds.ts';
import type { TakenAlong } from '../compile/taken-along.ts';
import type { Definitions, Manifest } from '../manifest.ts';
import type { PipelineSpec, StepSpec } from '../pipeline-spec.ts';
import { pathsInCommand } from './command-files.ts';
import { namedFiles } from './named-paths.ts';
import { namedRequirements } from './named-requirements.ts';
import { notebookCode } from './notebook-code.ts';
import { Parcel } from './parcel.ts';
import { type PythonFiles, type PythonReach, pythonReach } from './python-imports.ts';
import { filesUnder, posixPath, readSmallText, textOf } from './repository-texts.ts';

type ScriptAction = Extract<StepAction, { readonly script: string }>;
type ShellAction = Extract<StepAction, { readonly kind: 'shell' }>;

/** The definitions with the files of their steps. Throws HR_DEFINITION where one is not there. */
export async function withStepFiles(definitions: Definitions, takenAlong: TakenAlong): Promise<Definitions> {
  const { manifest, directory } = definitions;
  const bundles = new Map(definitions.bundles);
  const pipelines: [string, PipelineSpec][] = [];
  for (const [name, pipeline] of Object.entries(manifest.pipelines)) {
    const steps: StepSpec[] = [];
    for (const step of pipeline.steps) {
      const parcel = new Parcel(step.name, name);
      const action = await withFiles(step, parcel, directory, takenAlong.of(name, step.name));
      for (const text of parcel.texts.values()) bundles.set(sha256Hex(text), text);
      steps.push({ ...step, action });
    }
    pipelines.push([name, { ...pipeline, steps }]);
  }
  const whole: Manifest = { ...manifest, pipelines: Object.fromEntries(pipelines) };
  return { ...definitions, manifest: whole, hash: contentHash(whole), bundles };
}

async function withFiles(
  { action, env = {} }: StepSpec,
  parcel: Parcel,
  directory: string,
  listed: readonly string[],
): Promise<StepAction> {
  if (action.kind === 'shell') return await withCommandFiles(action, parcel, directory, listed);
  // A script elsewhere is that machine's own.
  if (!('script' in action) || isAbsolute(action.script)) return action;
  return await withScriptFiles(action, parcel, directory, env['PYTHONPATH'] !== undefined);
}

async function withScriptFiles(
  written: ScriptAction,
  parcel: Parcel,
  directory: string,
  hasOwnPath: boolean,
): Promise<ScriptAction> {
  const requirements = written.requirements === undefined ? undefined : plain(written.requirements);
  const script = plain(written.script);
  const action = { ...written, script, ...(requirements === undefined ? {} : { requirements }) };
  const found = await filesUnder(directory, dirname(script));
  const own = [script, ...(requirements === undefined ? [] : await requirementFiles(requirements, directory, parcel))];
  parcel.refuseOutside(own);
  const reach: PythonReach = hasOwnPath
    ? { files: [], whole: 'its step sets PYTHONPATH, by which modules are found elsewhere' }
    : await reachIn(action, found, async (path) => {
        const text = await readOwn(directory, path, parcel);
        return action.kind === 'notebook' && path === script ? cellsOf(text, path, parcel) : text;
      });
  const all = reach.whole === undefined ? reach.files : found.filter((path) => path.endsWith('.py'));
  const paths = new Set([...own, ...all]);
  parcel.refuseMany(paths.size, dirname(script));
  for (const path of [...paths].sort()) parcel.add(path, await readOwn(directory, path, parcel));
  const others = new Set(found.filter((path) => !paths.has(path)));
  const named = [...parcel.texts].flatMap(([path, text]) => {
    const code = action.kind === 'notebook' && path === script ? cellsOf(text, path, parcel) : text;
    return [...namedFiles(code, ['.', dirname(script), dirname(path)], others)];
  });
  await addSmallTexts(named, 'text files that its Python files name', parcel, directory);
  // The script's own folder may hold nothing else, and then all of it is what it runs.
  const isMore = reach.whole !== undefined && paths.size > new Set([...own, ...reach.files]).size;
  return { ...action, files: parcel.files(), ...(isMore ? { whole: reach.whole } : {}) };
}

/** The Python files that an action's script runs, of those in its folder. */
async function reachIn(
  { kind, script }: ScriptAction,
  found: readonly string[],
  read: PythonFiles['read'],
): Promise<PythonReach> {
  const python = found.filter((path) => path.endsWith('.py'));
  const known = new Set(python);
  const inFolders = new Map<string, Set<string>>();
  for (const path of python) {
    // Each folder on the way holds the next.
    for (let at = path; at !== '.'; at = dirname(at)) {
      const names = inFolders.get(dirname(at)) ?? new Set();
      inFolders.set(dirname(at), names.add(at.slice(at.lastIndexOf('/') + 1)));
    }
  }
  const list = (folder: string): readonly string[] => [...(inFolders.get(folder) ?? [])];
  // A notebook's own folder is not where its kernel starts.
  const roots = kind === 'notebook' ? [dirname(script), '.'] : [dirname(script)];
  return await pythonReach(script, roots, { has: (path) => known.has(path), list, read }, known);
}

/** The Python files that a script at an absolute path of this machine runs, at absolute paths. Throws what reading them throws. */
export async function localScript(script: string): Promise<PythonReach> {
  const list = (folder: string): readonly string[] => {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { withFileTypes: true }).flatMap((one) =>
      one.name.endsWith('.py') || one.isDirectory() ? [one.name] : [],
    );
  };
  const read = async (path: string): Promise<string> => {
    const text = await readFile(path, 'utf8');
    return path.endsWith('.ipynb') ? (notebookCode(text) ?? '') : text;
  };
  return await pythonReach(script, [dirname(script)], { has: existsSync, list, read });
}

/** The file with those that it takes in, and they; one at an absolute path is that machine's own. */
async function requirementFiles(requirements: string, directory: string, parcel: Parcel): Promise<readonly string[]> {
  const found = new Set<string>();
  const take = async (path: string): Promise<void> => {
    if (isAbsolute(path) || found.has(path)) return;
    parcel.refuseOutside([path]);
    found.add(path);
    for (const named of namedRequirements(await readOwn(directory, path, parcel)))
      await take(isAbsolute(named) ? named : plain(join(dirname(path), named)));
  };
  await take(requirements);
  return [...found];
}

function cellsOf(text: string, path: string, parcel: Parcel): string {
  const code = notebookCode(text);
  if (code === undefined) throw parcel.unfit(`runs ${path}, which is no notebook: JSON with its cells. Save it anew.`);
  return code;
}

async function withCommandFiles(
  action: ShellAction,
  parcel: Parcel,
  directory: string,
  listed: readonly string[],
): Promise<ShellAction> {
  const among = 'text files that it lists';
  const asked = listed.map(plain);
  parcel.refuseOutside(asked);
  for (const path of asked) {
    const isFolder = (await stat(join(directory, path)).catch(() => undefined))?.isDirectory() === true;
    if (isFolder) await addSmallTexts(await filesUnder(directory, path), among, parcel, directory);
    else parcel.add(path, await readListed(directory, path, parcel));
  }
  await addSmallTexts(pathsInCommand(action.command), among, parcel, directory);
  return parcel.texts.size === 0 ? action : { ...action, files: parcel.files() };
}

async function addSmallTexts(
  paths: readonly string[],
  among: string,
  parcel: Parcel,
  directory: string,
): Promise<void> {
  for (const path of new Set(paths)) {
    const text = await readSmallText(join(directory, path), directory);
    if (text !== undefined) parcel.add(path, text);
    parcel.refuseManyNamed(among);
  }
}

/** Of Python's own files, whose encoding they say themselves. */
async function readOwn(directory: string, path: string, parcel: Parcel): Promise<string> {
  return (await readNeeded(directory, path, parcel)).toString();
}

/** Of a file that is listed. */
async function readListed(directory: string, path: string, parcel: Parcel): Promise<string> {
  const text = textOf(await readNeeded(directory, path, parcel));
  if (text !== undefined) return text;
  throw parcel.unfit(
    `needs ${path}, which is no text in UTF-8, and only text travels. Let it come by an absolute path.`,
  );
}

async function readNeeded(directory: string, path: string, parcel: Parcel): Promise<Buffer> {
  try {
    return await readFile(join(directory, path));
  } catch (cause) {
    const sentence = `needs ${path}, which is not in the feature repository. Put it there, or correct the path.`;
    throw parcel.unfit(sentence, cause);
  }
}

/** `./train.py` is `train.py`. */
function plain(path: string): string {
  return posixPath(normalize(path));
}
