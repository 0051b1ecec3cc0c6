// What travels with a Python step: its script, the Python files beside and beneath it, which it may import, and its
// requirements. By content, as bundles of functions do.

import { readdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { contentHash, HeadraceError, sha256Hex } from '../../core/index.ts';
import type { Definitions, Manifest, PipelineSpec, ScriptFile, StepAction, StepSpec } from '../manifest.ts';

/** More of it than this is no code. */
const MOST_FILES = 1000;
const LEFT_OUT = new Set(['node_modules', '__pycache__', 'data', 'venv']);

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
  const { action } = step;
  // A script elsewhere is that machine's own.
  if (action.kind !== 'python' || isAbsolute(action.script)) return step;
  const files: ScriptFile[] = [];
  for (const path of await pathsOf(action, directory)) {
    const text = await readText(join(directory, path), path, step, pipeline);
    const hash = sha256Hex(text);
    bundles.set(hash, text);
    files.push({ path, hash });
  }
  return { ...step, action: { ...action, files } };
}

async function pathsOf(
  { script, requirements }: Extract<StepAction, { kind: 'python' }>,
  directory: string,
): Promise<string[]> {
  const paths = new Set([posix(script)]);
  if (requirements !== undefined && !isAbsolute(requirements)) paths.add(posix(requirements));
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.name.endsWith('.py')) paths.add(posix(relative(directory, path)));
    }
  };
  await walk(join(directory, dirname(script)));
  return [...paths].sort().slice(0, MOST_FILES);
}

async function readText(path: string, name: string, step: StepSpec, { name: pipeline }: PipelineSpec): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new HeadraceError(
      'HR_DEFINITION',
      `step "${step.name}" of pipeline "${pipeline}" needs ${name}, which is not in the feature repository. Put it there, or correct the path.`,
      { cause },
    );
  }
}

function posix(path: string): string {
  return path.split(sep).join('/');
}
