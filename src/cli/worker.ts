// `headrace worker`: runs tasks that drivers on other machines hand to the fleet, until SIGTERM or SIGINT.

import { availableParallelism, totalmem } from 'node:os';
import { defineCommand, textOption } from './command.ts';
import { wholeNumberOption } from './whole-number-option.ts';

export const workerCommand = defineCommand({
  usage: 'worker',
  summary: 'run tasks of pipelines on this machine, for drivers elsewhere',
  example:
    'headrace worker --registry postgres://headrace@db/registry --artifacts s3://team/headrace --slots 8\nheadrace worker',
  notes:
    'It runs the steps whose executor is "fleet". A registry and an artifact store are all that it needs, given here, in\nHEADRACE_REGISTRY_URL and HEADRACE_ARTIFACTS_URL, or by a configuration file. SIGTERM lets what runs end and takes nothing\nmore; a second one gives it back, to be run elsewhere.',
  options: (command) =>
    command
      .option('--slots <n>', 'CPUs that tasks may use at once (default: those of this machine)')
      .option('--registry <url>', 'where the registry lies (default: as configured)')
      .option('--artifacts <url>', 'where the artifact store lies (default: as configured)'),
  async run(context, _args, options) {
    const slots = wholeNumberOption(options, 'slots', 1, 4096) ?? availableParallelism();
    const { hasProject, openTaskExecutor, stopSignal } = await import('../app/index.ts');
    const { serveFleet } = await import('../orchestrator/index.ts');
    const places = {
      'registry.url': textOption(options, 'registry'),
      'artifacts.url': textOption(options, 'artifacts'),
    };
    const app = await context.app('join', { places });
    const [drain, hurry] = [new AbortController(), new AbortController()];
    void stopSignal().then((signal) => {
      app.logger.info({ signal }, 'what runs is waited for');
      drain.abort();
      void stopSignal().then(() => hurry.abort());
    });
    let isAnnounced = false;
    await serveFleet({
      database: await app.database(),
      openExecutor: (name) => openTaskExecutor(app, name, slots),
      slots,
      memoryBytes: totalmem(),
      hasProject: hasProject(app),
      logger: app.logger,
      drain: drain.signal,
      hurry: hurry.signal,
      onServe(name) {
        if (isAnnounced) app.logger.info({ worker: name }, 'serving the fleet');
        else
          context.announce({ json: { worker: name, slots, pid: process.pid }, text: `Serving the fleet as ${name}` });
        isAnnounced = true;
      },
    });
    return { json: undefined, text: '' };
  },
});
