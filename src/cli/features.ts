// `headrace features get`: values, statuses and times from the online store.

import type { Micros } from '../core/index.ts';
import { formatTimestamp, HeadraceError, messageOf, parseJson, stringifyJson } from '../core/index.ts';
import { type ResolvedService, resolveService } from '../definitions/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

const MAX_ROWS = 100_000;

const get = defineCommand({
  usage: 'get',
  summary: 'read a service’s features for rows of keys, now or as at a time',
  example: `headrace features get --service delay_features --rows '[{"origin":"ATL","destination":"ORD"}]' --at 2026-11-24T10:00:00Z`,
  options: (command) =>
    command
      .requiredOption('--service <name>', 'the feature service')
      .requiredOption('--rows <json>', 'a JSON array of rows with the service’s request columns')
      .option('--at <time>', 'windows, TTLs and statuses as if the clock showed it'),
  async run(context, _args, options) {
    const rows = readRows(textOption(options, 'rows') ?? '');
    const at = readTime('--at', textOption(options, 'at'));
    const app = await context.app();
    const definitions = await app.applied();
    const store = await app.online();
    const { compileFeaturePlan, readFeatureRows } = await import('../serving/index.ts');
    const directory = await app.directory();
    const { createViewCodec } = await import('../online/index.ts');
    const watermarks = new Map<string, Micros>();
    for (const view of Object.keys(definitions.manifest.views)) {
      const row = directory.lastFinished(createViewCodec(definitions.manifest, view).version);
      if (row !== undefined) watermarks.set(view, row.asOf);
    }
    const service = resolveService(definitions.manifest, textOption(options, 'service') ?? '');
    for (const line of warnOfThePast(service, watermarks, at)) context.tell(line);
    const plan = compileFeaturePlan(definitions, service, store, directory, 'rows');
    const answers = await readFeatureRows(plan, rows, at ?? app.clock.nowMicros(), MAX_ROWS);
    const text = answers.map((answer) =>
      formatTable([
        ['FEATURE', 'VALUE', 'STATUS', 'EVENT TIME'],
        ...Object.entries(answer.features).map(([name, value]) => [
          name,
          show(value),
          answer.statuses[name] ?? '',
          answer.event_times[name] ?? '',
        ]),
      ]),
    );
    return { json: { rows: answers }, text: text.join('\n\n') };
  },
});

export const featuresCommand = defineGroup('features', 'read features from the online store', [get]);

// A materialize keeps what a read at its watermark or later needs: no older rows, nor older parts of windows.
function warnOfThePast(
  { reads }: ResolvedService,
  watermarks: ReadonlyMap<string, Micros>,
  at: Micros | undefined,
): string[] {
  if (at === undefined) return [];
  return [...new Set(reads.map(({ view }) => view.name))].flatMap((name) => {
    const watermark = watermarks.get(name);
    if (watermark === undefined || watermark <= at) return [];
    const until = formatTimestamp(watermark);
    return [
      `view ${name} holds what reads from ${until} on need; as at --at it may lack older events, a training set does not.`,
    ];
  });
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
