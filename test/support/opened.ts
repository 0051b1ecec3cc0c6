// What a test opens and leaves to its end: executors and projects of its own.

import { onTestFinished } from 'vitest';
import { type ExecutorWorld, openExecutorWorld, type WorldOptions } from './executor-world.ts';
import { openPipelineProject, type PipelineProject, removeProject, writeRepository } from './pipeline-project.ts';

export function ownWorld(options: WorldOptions = {}): ExecutorWorld {
  const world = openExecutorWorld(options);
  onTestFinished(() => world.close());
  return world;
}

/** A project of these files, or of one that has this text. */
export async function ownProject(
  files: string | Readonly<Record<string, string>>,
  overrides: Parameters<typeof openPipelineProject>[1] = {},
): Promise<PipelineProject> {
  const directory = writeRepository(typeof files === 'string' ? { 'p.ts': files } : files);
  const project = await openPipelineProject(directory, overrides);
  onTestFinished(async () => {
    await project.close();
    removeProject(directory);
  });
  return project;
}
