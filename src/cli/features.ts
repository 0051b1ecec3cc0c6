// `headrace features get`: values, statuses and times from the online store, or of an earlier time from the facts.

import type { App } from '../app/index.ts';
import { HeadraceError, messageOf, type Micros, parseJson, type Progress, stringifyJson } from '../core/index.ts';
import {
  type Definitions,
  placedDefinitions,
  type ResolvedService,
  resolveService,
  viewVersion,
} from '../definitions/index.ts';
import type { RecordsAsOf } from '../offline/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

const MAX_ROWS = 100_000;

const get = defineCommand({
  usage: 'get',
  summary: 'read a service’s features for rows of keys, now or as at a time',
  example: `headrace features get --service delay_features --rows '[{"origin":"ATL","destination":"ORD","distance":606,"scheduled_at":"2026-11-24T10:00:00Z"}]' --at 2026-11-24T10:00:00Z`,
  options: (command) =>
    command
      .requiredOption('--service <name>', 'the feature service')
      .requiredOption('--rows <json>', 'a JSON array of rows with the service’s request columns')
      .option(
        '--at <time>',
        'as if the clock showed it; before the last run it is computed from the files and the log',
      ),
  async run(context, _args, options) {
    const rows = readRows(textOption(options, 'rows') ?? '');
    const at = readTime('--at', textOption(options, 'at'));
    const app = await context.app('read');
    const name = textOption(options, 'service') ?? '';
    const { servedDefinitions } = await import('../app/index.ts');
    const definitions = await servedDefinitions(app, name);
    const { compileFeaturePlan, readFeatureRows } = await import('../serving/index.ts');
    const service = resolveService(definitions.manifest, name);
    const { store, directory } = await recordsFor(app, definitions, context.progress, service, at);
    const plan = compileFeaturePlan(definitions, service, store, directory, 'rows');
    const answers = await readFeatureRows(plan, rows, at ?? app.clock.nowMicros(), { maxRows: MAX_ROWS });
    const text = answers.map((answer) =>
      formatTable([
        ['FEATURE', 'VALUE', 'STATUS', 'EVENT TIME'],
        ...Object.entries(answer.features).map(([name, value]) => [
          name,
          show(value),
          answer.statuses[name] ?? 'PRESENT',
          answer.event_times[name.slice(0, name.indexOf('__'))] ?? '',
        ]),
      ]),
    );
    return { json: { rows: answers }, text: text.join('\n\n') };
  },
});

export const featuresCommand = defineGroup('features', 'read features from the online store', [get]);

// A materialize keeps what a read at its time or later needs: no older rows, nor older parts of windows.
async function recordsFor(
  app: App,
  definitions: Definitions,
  progress: Progress,
  { reads }: ResolvedService,
  at: Micros | undefined,
): Promise<RecordsAsOf> {
  const directory = await app.directory();
  const isPast = reads.some(({ view }) => {
    const run = directory.lastFinished(viewVersion(definitions.manifest, view.name));
    return at !== undefined && run !== undefined && run.asOf > at;
  });
  if (at === undefined || !isPast) return { store: await app.online(), directory };
  const { recordsAsOf } = await import('../offline/index.ts');
  const applied = await app.applied();
  // As a run of its versions reads: from where the files are now, and null where their functions can't take a row.
  const forgiving = { rows: definitions === applied ? 'log' : 'all', onFailedValue: () => {} } as const;
  const placed = placedDefinitions(definitions, applied);
  return recordsAsOf({ ...(await app.offline(progress)), forgiving, definitions: placed }, at);
}

function readRows(text: string): unknown {
  let rows: unknown;
  try {
    rows = parseJson(text);
  } catch (thrown) {
    throw new HeadraceError('HR_MALFORMED_JSON', `--rows is not JSON: ${messageOf(thrown)}`);
  }
  if (!Array.isArray(rows)) throw usageError('--rows takes a JSON array of objects.');
  return rows;
}

/** As JSON, int64 with all its digits, in lists too. */
function show(value: unknown): string {
  return stringifyJson(value);
}
