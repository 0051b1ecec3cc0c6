// What the tasks of a cached step go by outside of their order: the machine's interpreter, the packages that a script finds, the
// image behind a tag, a script that is this machine's own, and the data that Headrace's own steps read. Where such a thing can't be
// known the step's cache is off, and the reason is kept in its order for `runs show --why`.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, dirname, join } from 'node:path';
import { type Json, messageOf, sha256Hex } from '../../core/index.ts';
import { type ExecutorSpec, localScript, type StepAction } from '../../definitions/index.ts';
import { getBlob, type ObjectStore } from '../../storage/index.ts';
import { isBuiltIn } from '../executors/local/built-in-tasks.ts';
import { scriptPaths } from '../step/code.ts';
import type { CacheReads, StepOrder } from '../step/order.ts';
import {
  type Installed,
  installedBeside,
  type Interpreter,
  type PythonEnvironments,
} from '../step/python-environment.ts';
import { imageId } from '../step/run-container.ts';
import { NOTEBOOK_PACKAGES } from '../step/run-notebook.ts';
import { placeOf } from './open-executors.ts';
import type { CacheReader } from './prepare-step.ts';

/** What Headrace's own steps read, by their kinds. */
export type BuiltInReads = {
  readonly [Kind in StepAction['kind']]?: (
    action: Extract<StepAction, { kind: Kind }>,
    order: StepOrder,
  ) => Promise<CacheReads>;
};

export interface CacheReadsDeps {
  /** Throws HR_PYTHON_UNAVAILABLE. */
  readonly interpreter: () => Promise<Interpreter>;
  readonly environments: PythonEnvironments;
  readonly objects: ObjectStore;
  /** Where scripts and requirements that do not travel lie. */
  readonly repository: string;
  /** Requirements files are written under it while they are looked at. */
  readonly workDirectory: string;
  /** Of the environment: docker or podman is looked for on it. */
  readonly path: string | undefined;
  /** Where steps run that name no executor. */
  readonly executor: ExecutorSpec;
  /** Of Headrace: a step of its own gives another result by another version. */
  readonly version: string;
  readonly builtIns: BuiltInReads;
}

type ScriptAction = Extract<StepAction, { kind: 'python' | 'notebook' }>;
type Reads = Readonly<Record<string, Json>>;

/** Reads the platform and the version of Node alone. */
export const readMachine: CacheReader = async () => ({ reads: machine() });

/** Says why a step's cache is off. */
class CacheOff extends Error {}

export function openCacheReads(deps: CacheReadsDeps): CacheReader {
  const resolved = createResolver(deps);
  const readsOf = async (order: StepOrder, place: ExecutorSpec): Promise<CacheReads> => {
    const { action } = order;
    // Another machine's platform and interpreter are known by what it is called, if at all.
    const where = place === 'local' ? { 'machine.platform': platform() } : executorReads(place);
    switch (action.kind) {
      case 'task':
        return { reads: place === 'local' ? machine() : where };
      case 'shell':
        return { reads: where };
      case 'python':
      case 'notebook':
        return { reads: { ...where, ...(await scriptReads(deps, resolved, action, place)) } };
      case 'container':
        return { reads: { ...where, ...(await imageReads(deps, action, place)) } };
      default: {
        const read = deps.builtIns[action.kind] as
          | ((of: StepAction, order: StepOrder) => Promise<CacheReads>)
          | undefined; // each is of its own kind
        if (read === undefined || !isBuiltIn(action))
          throw new CacheOff(`what a step of kind ${action.kind} reads is not known here`);
        const { reads, ...more } = await read(action, order);
        return { reads: { 'machine.headrace': deps.version, ...reads }, ...more };
      }
    }
  };
  return async (order, spec) => {
    try {
      return await readsOf(order, placeOf(spec, deps.executor));
    } catch (error) {
      const why = error instanceof CacheOff ? error.message : `what it reads could not be seen: ${messageOf(error)}`;
      return { reads: {}, off: why };
    }
  };
}

function platform(): string {
  return `${process.platform}-${process.arch}`;
}

function machine(): Reads {
  return { 'machine.platform': platform(), 'machine.node': process.version };
}

/** Of another machine what its name says: which image its containers are made of, or that it is a worker of the fleet. */
function executorReads(place: Exclude<ExecutorSpec, 'local'>): Reads {
  if (place === 'fleet') return { 'machine.executor': place };
  const made =
    place.kind === 'kubernetes'
      ? { kind: place.kind, image: place.image, template: place.template ?? null }
      : { kind: place.kind, definition: place.definition };
  return { 'machine.executor': made };
}

/** Gives the versions of what an action's requirements resolve to on this machine. Builds the environment where it is not there. */
type Resolver = (action: ScriptAction) => Promise<Installed>;

function createResolver(deps: CacheReadsDeps): Resolver {
  // An environment that is whole is never changed.
  const known = new Map<string, Promise<Installed>>();
  return async (action) => {
    const own = action.kind === 'notebook' ? NOTEBOOK_PACKAGES : [];
    await mkdir(deps.workDirectory, { recursive: true });
    const folder = await mkdtemp(join(deps.workDirectory, 'requirements-'));
    try {
      for (const { path, hash } of action.files ?? []) {
        if (/\.(py|ipynb)$/.test(path)) continue;
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await writeFile(join(folder, path), await getBlob(deps.objects, hash));
      }
      const { requirements } = scriptPaths(action, folder, deps.repository);
      const python = await deps.environments.interpreter(requirements, own);
      const packages = known.get(python) ?? installedBeside(python);
      known.set(python, packages);
      packages.catch(() => known.delete(python));
      return await packages;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

async function scriptReads(
  deps: CacheReadsDeps,
  resolved: Resolver,
  action: ScriptAction,
  place: ExecutorSpec,
): Promise<Reads> {
  const interpreter = place === 'local' ? await deps.interpreter() : undefined;
  const reads: Record<string, Json> = {};
  if (interpreter !== undefined) reads['machine.python'] = interpreter.version;
  if (isAbsolute(action.script)) {
    if (place !== 'local') throw new CacheOff(`${action.script} lies on another machine, where it can't be read`);
    const { files, whole } = await localScript(action.script);
    if (whole !== undefined) throw new CacheOff(`what ${action.script} imports is not known: ${whole}`);
    for (const path of files) reads[`code.files.${path}`] = sha256Hex(await readFile(path));
  }
  const hasEnvironment = action.requirements !== undefined || action.kind === 'notebook';
  if (hasEnvironment && place !== 'local')
    throw new CacheOff(
      `the packages of ${action.requirements ?? 'a notebook'} are installed on another machine, which does not say in which versions`,
    );
  const packages = hasEnvironment ? await resolved(action) : interpreter?.packages;
  for (const [name, version] of Object.entries(packages ?? {})) {
    if (version === null)
      throw new CacheOff(`the package ${name} is installed from a folder, whose files may change at any time`);
    reads[`packages.${name}`] = version;
  }
  return reads;
}

async function imageReads(
  deps: CacheReadsDeps,
  { image }: Extract<StepAction, { kind: 'container' }>,
  place: ExecutorSpec,
): Promise<Reads> {
  if (/@sha256:[0-9a-f]{64}$/.test(image)) return {};
  const advice = `name it by its digest: ${image.replace(/:[^:/]*$/, '')}@sha256:…`;
  if (place !== 'local') throw new CacheOff(`${image} may be another image on another machine; ${advice}`);
  const id = await imageId(image, deps.path);
  if (id === undefined) throw new CacheOff(`what the image ${image} holds could not be found out; ${advice}`);
  return { 'code.image.id': id };
}
