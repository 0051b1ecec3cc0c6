// Starts a run of the project in a folder, or goes on with one, in a process of its own: `resume-driver.ts DIRECTORY REGISTRY [RUN]`.

import { enableCompileCache } from 'node:module';

// As the program's entry does.
enableCompileCache();
const { resumeRun, runPipeline } = await import('../src/orchestrator/index.ts');
const { openPipelineProject } = await import('../test/support/pipeline-project.ts');
const [, , directory = '', registryUrl = '', run] = process.argv;
const { deps, close } = await openPipelineProject(directory, { registryUrl, onWait: () => console.log('waits') });
if (run === undefined) await runPipeline(deps, { pipeline: 'p', onStart: (id) => console.log(id) });
else await resumeRun(deps, run);
await close();
