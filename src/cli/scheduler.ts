// `headrace scheduler`: runs pipelines by their schedules until it is told to stop.

import { defineCommand } from './command.ts';

export const schedulerCommand = defineCommand({
  usage: 'scheduler',
  summary: 'run pipelines by their schedules, and what waits for a driver, until told to stop',
  example: 'headrace scheduler',
  notes: `A schedule counts from when a scheduler first saw it. Run several, on any machines: each time of a schedule has one run, and
when one of them dies the others go on with its runs. SIGTERM stops what runs here and leaves it to them.
How many runs go on at once is \`scheduler.runs\`; \`scheduler.serve\` makes a server one too.`,
  async run(context) {
    const { openScheduler, stopSignal } = await import('../app/index.ts');
    const { runScheduler } = await import('../orchestrator/index.ts');
    const app = await context.app();
    const stopping = new AbortController();
    void stopSignal().then(() => stopping.abort());
    const deps = await openScheduler(app, context.tell);
    context.tell(`Scheduling, ${deps.atOnce} runs at once at most`);
    await runScheduler(deps, stopping.signal);
    return { json: { stopped: true }, text: 'Stopped.' };
  },
});
