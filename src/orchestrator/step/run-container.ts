// A command in a container, run by docker or podman.

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { sha256Hex } from '../../core/index.ts';
import type { StepAction } from '../../definitions/index.ts';
import { containerUser } from './container-user.ts';
import { MARK } from './marks.ts';
import { failure, type TaskFailure } from './outcome.ts';
import type { Command } from './run-process.ts';
import type { AttemptFolder } from './attempt-folders.ts';
import type { StepHost } from './step-host.ts';

/** On every container: a sweep finds them by it. */
const LABEL = 'headrace.driver';

export interface ContainerOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** Names of the variables that the step itself declares: of this machine's, an image wants none. */
  readonly own: readonly string[];
  /** The folder of the needs' files. */
  readonly files: string;
  readonly cpu: number | undefined;
  readonly memoryBytes: number | null;
  readonly mark: string;
}

/** In a container that a cluster made for a step that brings an image: that image. */
const IMAGE_VARIABLE = 'HEADRACE_CONTAINER_IMAGE';

export async function containerCommand(
  host: StepHost,
  { image, command }: Extract<StepAction, { kind: 'container' }>,
  { inputFile, output }: AttemptFolder,
  { environment, own, files, cpu, memoryBytes, mark }: ContainerOptions,
): Promise<Command | TaskFailure> {
  // A pod of a cluster that is made of the image already.
  const [program, ...args] = command;
  if (host.variables[IMAGE_VARIABLE] === image && program !== undefined) return { command: program, args, environment };
  const runtime = containerRuntime(host.variables['PATH']);
  if (runtime === undefined) {
    const reason = `the image ${image} needs docker or podman on the PATH, and neither is there; install one, or run the step where there is one`;
    return failure(reason, { isFinal: true });
  }
  mkdirSync(files, { recursive: true });
  const name = `headrace-${sha256Hex(mark).slice(0, 16)}`;
  const names = [
    ...own,
    ...Object.keys(environment).filter((variable) => variable.startsWith('HEADRACE_')),
    'OMP_NUM_THREADS',
    MARK,
  ].filter((variable) => variable === MARK || variable in environment);
  const user = await containerUser(runtime, (args) => quietly(runtime, args));
  return {
    command: runtime,
    args: [
      'run',
      '--rm',
      '--init',
      '--name',
      name,
      '--label',
      `${LABEL}=${host.driver}`,
      ...user,
      ...(cpu === undefined ? [] : ['--cpus', String(cpu)]),
      ...(memoryBytes === null ? [] : ['--memory', String(memoryBytes)]),
      '--volume',
      `${inputFile}:${inputFile}:ro`,
      '--volume',
      `${output}:${output}`,
      '--volume',
      `${files}:${files}:ro`,
      // By name alone: the values of secrets are in no list of processes.
      ...[...new Set(names)].flatMap((variable) => ['--env', variable]),
      image,
      ...command,
    ],
    // The container gets those that are named above, the program that starts it what it is set up by.
    environment: { ...runtimeVariables(host.variables), ...environment },
    // Of its own; what the command ends with is passed on.
    explain: (code) =>
      code === 125
        ? `${basename(runtime)} could not start the container (exit code 125), as the log says; is its daemon running, and the image ${image} to be had?`
        : undefined,
    alsoKill: async () => {
      await quietly(runtime, ['rm', '--force', name]);
    },
  };
}

/** What docker and podman are told by of their daemon, their registry's keys, and where they keep images. */
const OF_RUNTIMES =
  /^(?:DOCKER_|CONTAINERS?_|STORAGE_|REGISTRY_AUTH_FILE$|XDG_RUNTIME_DIR$|XDG_CONFIG_HOME$|XDG_DATA_HOME$)/;

function runtimeVariables(variables: StepHost['variables']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      OF_RUNTIMES.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

/** Ends every container that a driver's launcher started. */
export async function removeContainers(driver: string, path: string | undefined): Promise<void> {
  const runtime = containerRuntime(path);
  if (runtime === undefined) return;
  const found = await quietly(runtime, ['ps', '--all', '--quiet', '--filter', `label=${LABEL}=${driver}`]);
  const ids = found.split(/\s+/).filter((id) => id !== '');
  if (ids.length > 0) await quietly(runtime, ['rm', '--force', ...ids]);
}

/**
 * The content's id of the image that a name stands for on this machine, fetched where it is not there; undefined where there is
 * neither docker nor podman, or no such image.
 */
export async function imageId(image: string, path: string | undefined): Promise<string | undefined> {
  const runtime = containerRuntime(path);
  if (runtime === undefined) return undefined;
  const inspect = async (): Promise<string> =>
    (await quietly(runtime, ['image', 'inspect', '--format', '{{.Id}}', image])).trim();
  let id = await inspect();
  if (id === '') {
    await quietly(runtime, ['pull', '--quiet', image]);
    id = await inspect();
  }
  return id === '' ? undefined : id;
}

function containerRuntime(path = ''): string | undefined {
  for (const name of ['docker', 'podman']) {
    for (const folder of path.split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not there
      }
    }
  }
  return undefined;
}

/** What it says; nothing where it fails: then there is nothing of it to end. */
async function quietly(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return await new Promise((resolve) => {
    child.on('error', () => resolve(''));
    child.on('close', (code) => resolve(code === 0 ? said : ''));
  });
}
