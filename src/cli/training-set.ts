// `headrace training-set create | list | show | audit`.

import type { Finding } from '../checks/index.ts';
import { counted, formatTimestamp } from '../core/index.ts';
import type { AuditReport, PushedSnapshot, SourceSnapshot, TrainingSetRecord } from '../offline/index.ts';
import { collect, defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { describeChecks } from './describe-checks.ts';
import { describeUnconverted } from './describe-unconverted.ts';
import { checkOutputFile } from './output-file.ts';
import { profileTable } from './profile-table.ts';
import { formatTable } from './table.ts';

const create = defineCommand({
  usage: 'create',
  summary: 'join features to a spine, each as it was known at the row’s time, and write Parquet',
  example:
    'headrace training-set create --service delay_features --spine spine.parquet --timestamp scheduled_at --label late --out train.parquet',
  options: (command) =>
    command
      .requiredOption('--service <name>', 'the feature service')
      .requiredOption(
        '--spine <file>',
        'Parquet or CSV with the key columns and a timestamp; or a query that begins with SELECT',
      )
      .requiredOption('--timestamp <column>', 'the spine’s time column')
      .option('--label <column>', 'a label column; may come several times', collect)
      .option('--boundary <at|before>', 'whether what happened at the very time counts', 'at')
      .requiredOption('--out <file>', 'the Parquet file to write')
      .option('--name <name>', 'a name to find it by; an older set of that name is found by its id from then on'),
  async run(context, _args, options) {
    const boundary = textOption(options, 'boundary');
    if (boundary !== 'at' && boundary !== 'before')
      throw usageError(`--boundary is "at" or "before", got "${boundary ?? ''}".`);
    const out = context.path(textOption(options, 'out') ?? '');
    await checkOutputFile(out, { makesFolders: true });
    const app = await context.app();
    const { createTrainingSet, presentTrainingSet } = await import('../offline/index.ts');
    const name = textOption(options, 'name');
    const record = await createTrainingSet(await app.offline(context.progress), {
      service: textOption(options, 'service') ?? '',
      spine: spinePath(textOption(options, 'spine') ?? '', context.path),
      directory: context.environment.workingDirectory,
      timestamp: textOption(options, 'timestamp') ?? '',
      labels: (options['label'] as readonly string[] | undefined) ?? [],
      boundary,
      out,
      ...(name === undefined ? {} : { name }),
    });
    const lost = record.sources.map(({ source, unconverted }) => describeUnconverted(source, unconverted)).join('');
    const told = `${lost}${describeUnshipped(record.unshipped)}${describeChecks(checksOf(record))}`;
    const made = `${record.id}  ${record.rows} rows × ${record.features.length} features  ${record.path}${told}`;
    const { nameTakenFrom = null, formerName = null } = record;
    const renamed =
      formerName === null
        ? ''
        : `\nIt is the set that was called "${formerName}", made of the same inputs; it has one name, which is "${record.name}" from now on.`;
    return {
      json: { ...presentTrainingSet(record), name_taken_from: nameTakenFrom, former_name: formerName },
      text:
        nameTakenFrom === null
          ? `${made}${renamed}`
          : `${made}${renamed}\nThe name "${record.name}" means this set from now on; until now it meant ${nameTakenFrom}, which is found by its id.`,
    };
  },
});

// A query and an s3 address stay as they are; a path starts where the user stands, and so do those in the query.
function spinePath(spine: string, path: (typed: string) => string): string {
  return /^\s*(select|from|with)\s/i.test(spine) || /^[a-z0-9]+:\/\//i.test(spine) ? spine : path(spine);
}

const list = defineCommand({
  usage: 'list',
  summary: 'list training sets, newest first',
  example: 'headrace training-set list',
  async run(context) {
    const app = await context.app('read');
    const { listTrainingSets, presentTrainingSet } = await import('../offline/index.ts');
    const records = await listTrainingSets({ database: await app.database() });
    const rows = records.map((record) => [
      record.id,
      record.name ?? '',
      record.service,
      String(record.rows),
      formatTimestamp(record.createdAtMicros),
      record.path,
    ]);
    return {
      json: { training_sets: records.map(presentTrainingSet) },
      text: formatTable(
        [['ID', 'NAME', 'SERVICE', 'ROWS', 'CREATED', 'PATH'], ...rows],
        'No training sets. `headrace training-set create --help` shows how to make one.',
      ),
    };
  },
});

const show = defineCommand({
  usage: 'show <id>',
  summary: 'show what a training set was made from, and its features',
  example: 'headrace training-set show 3f2a9c1d',
  async run(context, [id = '']) {
    const app = await context.app('read');
    const { getTrainingSet, presentTrainingSet } = await import('../offline/index.ts');
    const record = await getTrainingSet({ database: await app.database() }, id);
    return { json: presentTrainingSet(record), text: describeRecord(record) };
  },
});

const audit = defineCommand({
  usage: 'audit <id>',
  summary: 'recompute a sample by another path, and show which used fact was known nearest to its row’s time',
  example: 'headrace training-set audit 3f2a9c1d --sample 500',
  options: (command) => command.option('--sample <rows>', 'how many rows to recompute'),
  async run(context, [id = ''], options) {
    const sample = textOption(options, 'sample');
    if (sample !== undefined && !/^[1-9]\d*$/.test(sample))
      throw usageError(`--sample takes a whole number, got "${sample}".`);
    const app = await context.app('read');
    const { auditTrainingSet, getTrainingSet } = await import('../offline/index.ts');
    const { manifestHash } = await getTrainingSet({ database: await app.database() }, id);
    // By what it was made with, whatever is applied now.
    const definitions = await app.definitionsOf(manifestHash);
    const report = await auditTrainingSet({ ...(await app.offline(context.progress)), definitions }, id, {
      directory: context.environment.workingDirectory,
      ...(sample === undefined ? {} : { sample: Number(sample) }),
    });
    return { json: report, text: describeAudit(report), exitCode: report.isClean ? 0 : 1 };
  },
});

export const trainingSetCommand = defineGroup('training-set', 'make, list, show and audit training sets', [
  create,
  list,
  show,
  audit,
]);

function describeRecord(record: TrainingSetRecord): string {
  const range =
    record.firstMicros === null || record.lastMicros === null
      ? 'no rows'
      : `${formatTimestamp(record.firstMicros)} to ${formatTimestamp(record.lastMicros)}`;
  return [
    `${record.id}${record.name === null ? '' : ` (${record.name})`}`,
    `service ${record.service}, manifest ${record.manifestHash.slice(0, 12)}, boundary ${record.boundary}`,
    `${record.rows} rows, ${range}`,
    `spine ${record.spine}`,
    ...record.sources.map(describeSource),
    `file ${record.path} (${record.sizeBytes} bytes, sha256 ${record.contentHash.slice(0, 12)})`,
    `${profileTable(record.features)}${describeUnshipped(record.unshipped)}${describeChecks(checksOf(record))}`,
  ].join('\n');
}

/** Of its sources and its features. */
function checksOf({ sources, checks = [] }: TrainingSetRecord): readonly Finding[] {
  return [...sources.flatMap((source) => source.checks ?? []), ...checks];
}

/** A line for each writer, each begun by a line's end; nothing where there are none. */
function describeUnshipped(unshipped: TrainingSetRecord['unshipped'] = []): string {
  return unshipped
    .map(({ writer, events }) => {
      const waiting = `${counted(events, 'event')} that it had taken by its last report, and what came since,`;
      return `\nwarning: writer ${writer} did not ship what was pushed to it: ${waiting} is not in this set. \`headrace log list\` shows where it runs.`;
    })
    .join('');
}

function describeSource({
  source,
  files,
  skippedFiles = 0,
  table,
  rows,
  boundaryMicros,
  isLogAlone,
  pushed,
  unconverted,
}: SourceSnapshot): string {
  const none = isLogAlone === true ? ' of which no row counts yet' : '';
  const upTo = boundaryMicros === null ? none : ` up to ${formatTimestamp(boundaryMicros)}`;
  const fromLog = pushed === null ? '' : `, ${pushed.rows} of them pushed (log read: ${describePositions(pushed)})`;
  const leftOut = skippedFiles === 0 ? '' : ` (${skippedFiles} that no row can need left out)`;
  const at = table === undefined ? '' : `, at snapshot ${table.id} of ${table.table}`;
  return `source ${source}: ${files.length} file(s)${leftOut}${upTo}, ${rows} rows${fromLog}${at}${describeUnconverted(source, unconverted)}`;
}

function describePositions({ removed, ...read }: PushedSnapshot): string {
  const first = new Map(removed?.writers.map(({ writer, cut }) => [writer, cut + 1]));
  const gone = removed === undefined ? '' : `; retention had removed ${describeCuts(removed, () => '')}`;
  return `${describeCuts(read, (writer) => (first.has(writer) ? ` from cut ${first.get(writer)}` : ''))}${gone}`;
}

function describeCuts(
  { floor, writers }: Pick<PushedSnapshot, 'floor' | 'writers'>,
  from: (writer: number) => string,
): string {
  const whole = floor > 1 ? [`writers below ${floor} whole`] : [];
  return [...whole, ...writers.map(({ writer, cut }) => `writer ${writer}${from(writer)} to cut ${cut}`)].join(', ');
}

function describeAudit(report: AuditReport): string {
  const views = report.views.map(
    ({ view, keys, facts, nearest }) =>
      `  ${view} (${keys.join(', ')}): ${facts} facts; ${nearest === null ? 'none used' : `the one known nearest to its row’s time: at ${nearest.known}, for row ${nearest.row} at ${nearest.at}`}`,
  );
  const verdict = `${report.isClean ? 'clean' : 'NOT clean'}: ${report.sampled} of ${report.rows} rows recomputed, ${report.features} features`;
  return [`${report.id}: ${verdict}`, ...views, ...report.notes].join('\n');
}
