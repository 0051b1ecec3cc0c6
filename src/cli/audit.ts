// `headrace audit`: who changed what, when and why, and what was refused, from the registry's audit log.

import { formatTimestamp, type Json } from '../core/index.ts';
import type { AuditRecord } from '../registry/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const LIMIT = '20';
const MOST = 1000;

export const auditCommand = defineCommand({
  usage: 'audit',
  summary: 'list who changed what, when and why, newest first; changes that were refused, too',
  example: 'headrace audit --object endpoint/delay --limit 5',
  columns: {
    ACTOR: 'key hr_<id>, jwt <sub>, open <address>, anonymous <address>, or the user of a command line',
    REASON: 'as whoever changed it gave it, by --reason or X-Reason',
    REFUSED: 'why nothing changed; empty where it did',
  },
  notes: 'What was before and after is in --json, as `before` and `after`.',
  options: (command) =>
    command
      .option('--object <object>', 'only of this one, as the table has it: endpoint/delay, key/shop, model/eta')
      .option('--limit <rows>', `how many rows to print, ${MOST} at most`, LIMIT),
  async run(context, _args, options) {
    const limit = readLimit(textOption(options, 'limit') ?? LIMIT);
    const object = textOption(options, 'object');
    const { auditLog } = await (await context.app('read')).registry();
    const found = await auditLog.list({ limit: limit + 1, ...(object === undefined ? {} : { object }) });
    const records = found.slice(0, limit);
    const isCut = found.length > limit;
    return { json: { changes: records.map(present), limit, is_cut: isCut }, text: describe(records, isCut, object) };
  },
});

function readLimit(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > MOST)
    throw usageError(`--limit takes a whole number of rows from 1 to ${MOST}, got "${text}".`);
  return Number(text);
}

function present({ id, atMicros, actor, action, object, before, after, reason }: AuditRecord): object {
  return { id, at: formatTimestamp(atMicros), actor, action, object, before, after, reason };
}

function describe(records: readonly AuditRecord[], isCut: boolean, object: string | undefined): string {
  const rows = records.map(({ atMicros, actor, action, object: on, after, reason }) =>
    // What came over HTTP is shown as it is, and on one line.
    [formatTimestamp(atMicros), actor, action, on, reason ?? '', describeRefusal(after)].map(visible),
  );
  const empty =
    object === undefined
      ? 'Nothing was changed yet.'
      : `Nothing is told of "${visible(object)}". \`headrace audit\` without --object shows how objects are written, such as endpoint/delay.`;
  const table = formatTable([['TIME', 'ACTOR', 'ACTION', 'OBJECT', 'REASON', 'REFUSED'], ...rows], empty);
  return isCut ? `${table}\nThere are more rows than these ${records.length}; --limit takes another number.` : table;
}

/** Refused when it was asked for, or by the servers that could not load it. */
function describeRefusal(after: Json): string {
  const { refused, detail, untold, state, failures } = membersOf(after);
  if (typeof refused === 'string') {
    const others = untold === undefined ? '' : ` (and ${String(untold)} before it that were not written)`;
    return `${refused}: ${typeof detail === 'string' ? detail : ''}${others}`;
  }
  if (state !== 'failed' || !Array.isArray(failures)) return '';
  const reasons = failures.map(membersOf).map(({ server, reason }) => `${String(server)}: ${String(reason)}`);
  return `HR_NOT_PREPARED: ${reasons.join('; ')}`;
}

function membersOf(json: Json): Readonly<Record<string, Json | undefined>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Record<string, Json>) : {};
}
