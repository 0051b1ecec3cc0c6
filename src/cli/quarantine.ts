// `headrace quarantine list | show | release | drop`: rows that rules with onFail: 'quarantine' set apart.

import type { App } from '../app/index.ts';
import { counted, didYouMeanOf, formatTimestamp, HeadraceError, parseJson } from '../core/index.ts';
import type { SourceSpec } from '../definitions/index.ts';
import type { Ingestion } from '../ingestion/index.ts';
import { type CommandOptions, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { openPushes } from './open-pushes.ts';
import { formatTable } from './table.ts';

/** As the quarantine puts them together. */
const BATCH_ROWS = 1000;

const list = defineCommand({
  usage: 'list',
  summary: 'list the sources that have rows set apart, pushed and in files',
  example: 'headrace quarantine list',
  async run(context) {
    const app = await context.app('read');
    const { surveyQuarantined } = await import('../offline/index.ts');
    const { settingApart, showRule } = await import('../definitions/index.ts');
    const { manifest } = await app.applied();
    const names = Object.values(manifest.sources)
      .filter((source) => settingApart(source).length > 0)
      .map(({ name }) => name);
    const inFiles = new Map(
      (await surveyQuarantined(await app.offline(context.progress), names)).map((one) => [one.source, one]),
    );
    const held = new Map((await (await app.quarantine()).list()).map((one) => [one.source, one]));
    const sources = [...new Set([...held.keys(), ...inFiles.keys()])].sort().map((source) => ({
      source,
      pushed: held.get(source)?.rows ?? 0,
      bytes: held.get(source)?.bytes ?? 0,
      oldest: timeOf(held.get(source)?.oldestMicros),
      newest: timeOf(held.get(source)?.newestMicros),
      in_files: inFiles.get(source)?.rows ?? 0,
      rules: inFiles.get(source)?.rules ?? [],
    }));
    const rows = sources.map(({ source, pushed, oldest, newest, in_files, rules }) => [
      source,
      String(pushed),
      oldest === null ? '-' : `${oldest} to ${newest}`,
      String(in_files),
      rules
        .filter((one) => one.rows > 0)
        .map((one) => `${one.rows} × ${one.rule}`)
        .join(', '),
    ]);
    const rules = names.flatMap((name) => settingApart(manifest.sources[name] as SourceSpec).map(showRule));
    return {
      json: { sources },
      text: formatTable(
        [['SOURCE', 'PUSHED', 'CAME', 'IN FILES', 'BY RULE'], ...rows],
        rules.length === 0 ? 'No rule sets rows apart.' : 'No row is set apart.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <source>',
  summary: 'show rows of a source that are set apart, with why; the ids are what release takes',
  example: 'headrace quarantine show flights --limit 20',
  options: (command) => command.option('--limit <rows>', 'how many of each', '50'),
  async run(context, [name = ''], options) {
    const limit = textOption(options, 'limit') ?? '';
    if (!/^[1-9]\d{0,6}$/.test(limit)) throw usageError(`--limit takes a whole number, got "${limit}".`);
    const app = await context.app('read');
    const source = await sourceNamed(app, name);
    const { quarantinedFileRows } = await import('../offline/index.ts');
    const pushed = (await (await app.quarantine()).rows(name, Number(limit))).map(
      ({ id, row, reasons, arrivedMicros }) => ({
        id,
        came: formatTimestamp(arrivedMicros),
        reasons,
        row: parseJson(row),
      }),
    );
    const inFiles = (await quarantinedFileRows(await app.offline(context.progress), source, Number(limit))).map(
      (one) => ({
        ...one,
        row: parseJson(one.row),
      }),
    );
    const lines = [
      ...pushed.map(({ id, came, reasons, row }) => [
        id,
        `pushed ${came}`,
        reasons.map(({ rule }) => rule).join(', '),
        short(row),
      ]),
      ...inFiles.map(({ id, file, rules, row }) => [id, file, rules.join(', '), short(row)]),
    ];
    return {
      json: { source: name, pushed, in_files: inFiles },
      text: formatTable([['ID', 'FROM', 'BREAKS', 'ROW'], ...lines], `No row of ${name} is set apart.`),
    };
  },
});

const release = defineCommand({
  usage: 'release <source>',
  summary: 'put rows back: pushed ones are pushed again, those of files count from the next run on',
  example: "headrace quarantine release flights --ids 3f2a9c1d5b7e8f90a1b2c3d4 --reason 'a storm, not a mistake'",
  notes:
    'A row is known since its release: training sets show it to no earlier time. A row of a file is identified by what it holds:\nit counts in whatever file it lies, for as long as the source has those columns, and equal rows with it.',
  options: (command) => withChoice(command),
  async run(context, [name = ''], options) {
    const app = await context.app();
    await sourceNamed(app, name);
    const { releaseQuarantined } = await import('../control/index.ts');
    const { reason, ids } = choiceOf(options);
    let pushes: Ingestion | undefined;
    const registry = await app.registry();
    try {
      const deps = {
        offline: await app.offline(context.progress),
        quarantine: await app.quarantine(),
        ingestion: async () => (pushes ??= await openPushes(app, BATCH_ROWS)),
      };
      const released = await releaseQuarantined(deps, { source: name, ids, by: app.environment.actor, reason });
      await registry.auditLog.record({
        actor: app.environment.actor,
        action: 'quarantine.release',
        object: `source/${name}`,
        before: null,
        after: { pushed: released.pushed, in_files: released.inFiles },
        ...(reason !== null && { reason }),
      });
      return {
        json: { source: name, pushed: released.pushed, in_files: released.inFiles, covered: released.covered },
        text: describeReleased(name, released),
      };
    } finally {
      await pushes?.close();
    }
  },
});

function describeReleased(
  source: string,
  { pushed, inFiles, covered }: { readonly pushed: number; readonly inFiles: number; readonly covered: number },
): string {
  const files = inFiles === 0 ? '' : `, ${counted(inFiles, 'different row')} of its files count from the next run on`;
  const old =
    covered === 0
      ? ''
      : `\n${counted(covered, 'event')} of them happened before the files end: they count once a file holds them.`;
  return `${source}: ${counted(pushed, 'row')} pushed again${files}.${old}`;
}

const drop = defineCommand({
  usage: 'drop <source>',
  summary: 'throw away pushed rows that are set apart; those of files stay in their files',
  example: "headrace quarantine drop flights --reason 'a broken sensor'",
  options: (command) => withChoice(command),
  async run(context, [name = ''], options) {
    const app = await context.app();
    const { reason, ids } = choiceOf(options);
    const actor = app.environment.actor;
    const ending = { at: app.clock.nowMicros(), by: actor, reason };
    const dropped = await (await app.quarantine()).drop(name, ids, ending);
    const registry = await app.registry();
    const entry = { actor, action: 'quarantine.drop', object: `source/${name}`, before: null, after: { dropped } };
    await registry.auditLog.record({ ...entry, ...(reason !== null && { reason }) });
    return { json: { source: name, dropped }, text: `${name}: ${counted(dropped, 'row')} dropped.` };
  },
});

export const quarantineCommand = defineGroup('quarantine', 'list, show, put back and drop rows that rules set apart', [
  list,
  show,
  release,
  drop,
]);

type Options = Parameters<NonNullable<Parameters<typeof defineCommand>[0]['options']>>[0];

function withChoice(command: Options): void {
  command
    .option('--ids <ids>', 'ids as `quarantine show` has them, separated by commas; all of the source when left out')
    .option('--reason <text>', 'why, for the audit log');
}

function choiceOf(options: CommandOptions): {
  readonly ids: readonly string[] | undefined;
  readonly reason: string | null;
} {
  const ids = textOption(options, 'ids')
    ?.split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
  if (ids?.length === 0) throw usageError('--ids names no row; leave it out for all.');
  return { ids, reason: textOption(options, 'reason') ?? null };
}

async function sourceNamed(app: App, name: string): Promise<SourceSpec> {
  const { sources } = (await app.applied()).manifest;
  const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
  if (source !== undefined) return source;
  const near = didYouMeanOf('sources', name, Object.keys(sources));
  throw new HeadraceError('HR_UNKNOWN_SOURCE', `there is no source "${name}".${near}`);
}

const timeOf = (micros: number | undefined): string | null => (micros === undefined ? null : formatTimestamp(micros));

function short(row: unknown): string {
  const text = JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
