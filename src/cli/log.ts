// `headrace log`: the writers of the event log, and letting go of one whose machine will not return.

import { formatTimestamp } from '../core/index.ts';
import { defineCommand, defineGroup, usageError } from './command.ts';
import { formatTable } from './table.ts';

const list = defineCommand({
  usage: 'list',
  summary: 'list the writers of the event log, with what is shipped of each',
  example: 'headrace log list',
  async run(context) {
    const app = await context.app();
    const writers = (await (await app.log()).writers()).map((row) => ({
      writer: row.number,
      machine: row.machine,
      state: row.state,
      holder: row.holder,
      cut: row.cut,
      shipped: row.shipped,
      registered_at: formatTimestamp(row.registeredMicros),
      seen_at: formatTimestamp(row.seenMicros),
    }));
    const rows = writers.map((row) => [
      String(row.writer),
      row.machine,
      row.state,
      String(row.cut),
      String(row.shipped),
      row.seen_at,
    ]);
    return {
      json: { writers },
      text: formatTable([['WRITER', 'MACHINE', 'STATE', 'OPEN CUT', 'SHIPPED CUT', 'LAST SEEN'], ...rows]),
    };
  },
});

const forget = defineCommand({
  usage: 'forget <writer>',
  summary: 'let go of a writer whose machine will not return: no run waits for it any more',
  example: 'headrace log forget 7',
  async run(context, [text = '']) {
    if (!/^[1-9]\d{0,9}$/.test(text)) throw usageError(`log forget takes a writer's number, got "${text}".`);
    const writer = Number(text);
    const app = await context.app();
    await (await app.log()).forget(writer);
    return {
      json: { writer, state: 'forgotten' },
      text: `Writer ${writer} is forgotten. What it shipped still counts; what it did not ship is kept in the online store where pushes are kept, and comes from the files elsewhere.`,
    };
  },
});

export const logCommand = defineGroup('log', 'look at the event log’s writers, let go of a lost one', [list, forget]);
