// A guide that is typed from top to bottom beside a server that runs.

import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { runGuide } from './run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from './serving-project.ts';

export interface ServedGuide {
  /** Its file. */
  readonly path: string;
  /** Once the tests run. */
  project(): Project;
  /** Where the server is, as its commands are told. */
  environment(): Readonly<Record<string, string>>;
  /** Types it; what its commands print is what it shows. Gives how many outputs it shows. */
  type(): number;
}

/**
 * Opened before the file's tests and closed after them. `create`: the project that is served, the shop's when left out; `args`: of its
 * server.
 */
export function serveGuide(
  name: string,
  create: () => Project | Promise<Project> = () => createServingProject(),
  args: readonly string[] = [],
): ServedGuide {
  const path = join(import.meta.dirname, '../../docs/guides', name);
  let project: Project;
  let server: ServerProcess;
  beforeAll(async () => {
    project = await create();
    server = await startServe(project, args);
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    project.remove();
  });
  const environment = () => {
    const { grpc } = server.announced as { grpc?: string };
    return { HEADRACE_URL: server.url, ...(grpc === undefined ? {} : { HEADRACE_GRPC: grpc }) };
  };
  return {
    path,
    project: () => project,
    environment,
    type() {
      const shown = runGuide(path, project, environment());
      for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
      return shown.length;
    },
  };
}
