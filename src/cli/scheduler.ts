// `headrace scheduler`: runs pipelines by their schedules until it is told to stop.

import { defineCommand } from './command.ts';
import { wholeNumberOption } from './whole-number-option.ts';

export const schedulerCommand = defineCommand({
  usage: 'scheduler',
  summary: 'run pipelines by their schedules, and what waits for a driver, until told to stop',
  example: 'headrace scheduler',
  notes: `A schedule counts from when a scheduler first saw it. Run several, on any machines: each time of a schedule has one run, and
when one of them dies the others go on with its runs. SIGTERM stops what runs here and leaves it to them.
How many runs go on at once is \`scheduler.runs\`; \`scheduler.serve\` makes a server one too.`,
  options: (command) =>
    command.option('--metrics-port <port>', 'serve /metrics on this port of this machine; 0 takes a free one'),
  async run(context, _args, options) {
    const port = wholeNumberOption(options, 'metrics-port', 0, 65_535);
    const { openScheduleMetrics, openScheduler, stopSignal } = await import('../app/index.ts');
    const { runScheduler } = await import('../orchestrator/index.ts');
    const app = await context.app('join');
    const stopping = new AbortController();
    void stopSignal().then(() => stopping.abort());
    const deps = await openScheduler(app, context.tell);
    const { listenForScrapes } = await import('../control/index.ts');
    const listening = port === undefined ? undefined : await listenForScrapes(port, openScheduleMetrics(app));
    const where = listening === undefined ? '' : ` (${listening.url})`;
    context.tell(`Scheduling, ${deps.atOnce} runs at once at most${where}`);
    try {
      await runScheduler(deps, stopping.signal);
    } finally {
      await listening?.close();
    }
    return { json: { stopped: true }, text: 'Stopped.' };
  },
});
