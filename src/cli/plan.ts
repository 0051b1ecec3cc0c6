// `headrace plan`: what apply would change, what that breaks and for whom, and what has to be filled. Changes nothing.

import { defineCommand } from './command.ts';
import { describeReport } from './plan/describe-plan.ts';
import { planMarkdown } from './plan/plan-markdown.ts';
import { preparePlan } from './plan/prepare-plan.ts';

export { describePlan } from './plan/describe-plan.ts';

export const planCommand = defineCommand({
  usage: 'plan',
  summary: 'show what apply would change, what that breaks and for whom, and which views have to be filled',
  example: 'headrace plan\nheadrace plan --markdown > plan.md',
  exitCodes: {
    0: 'nothing changes',
    1: 'it failed',
    2: 'something changes (and wrong usage, which prints HR_USAGE on stderr)',
    3: 'something in use breaks: apply wants --yes; or apply would refuse it, as an experiment runs or a rollout is under way',
  },
  options: (command) => command.option('--markdown', 'print it for a comment on a pull request'),
  async run(context, _args, options) {
    const app = await context.app('read');
    const { definitions, report } = await preparePlan(context, app);
    const isMarkdown = options['markdown'] === true;
    return {
      json: { hash: definitions.hash, ...report },
      text: isMarkdown ? planMarkdown(report) : describeReport(report, context.paint('stdout')),
      exitCode: report.breaking.length + report.refused.length > 0 ? 3 : report.changes.length > 0 ? 2 : 0,
    };
  },
});
