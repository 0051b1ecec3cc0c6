// `headrace backup`: the registry, the event log and the artifacts to a folder or S3, beside servers that serve.

import type { App } from '../app/index.ts';
import { counted } from '../core/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { formatBytes } from './format-bytes.ts';

const TIMEOUT = '15';
const MOST_SHOWN = 5;

export const backupCommand = defineCommand({
  usage: 'backup <to>',
  summary: 'keep the registry, the event log and the artifacts elsewhere, while servers serve and take pushes',
  example: 'headrace backup /backups/2026-11-25\nheadrace backup s3://bucket/backups/2026-11-25 --with-training-sets',
  exitCodes: {
    0: 'the backup is whole',
    1: 'it is made, and lacks what the registry names and nobody has any more; or it was not made: the error says so',
    2: 'wrong usage',
  },
  notes:
    'Sources are not in it, nor is the online store, which `headrace materialize` fills anew. API keys are in it as they are\nin the registry, hashed; secrets of the configuration and the environment are not.',
  options: (command) =>
    command
      .option('--with-training-sets', 'take the files of training sets along; their records always are')
      .option('--with-predictions', 'take the prediction log along, up to the last hour that is Parquet')
      .option('--allow-missing', 'go ahead without what writers have not shipped that do not answer')
      .option('--timeout <seconds>', 'how long writers are waited for', TIMEOUT),
  async run(context, [to = ''], options) {
    const timeout = Number(textOption(options, 'timeout') ?? TIMEOUT);
    if (!(timeout >= 0 && timeout <= 3600)) throw usageError('--timeout takes a number of seconds up to 3600.');
    const { backUp } = await import('../app/index.ts');
    const app = await context.app('write');
    const choice = {
      trainingSets: options['withTrainingSets'] === true,
      predictions: options['withPredictions'] === true,
      allowMissing: options['allowMissing'] === true,
      timeoutMs: timeout * 1000,
    };
    const place = /^[a-z0-9]+:\/\//i.test(to) ? to : context.path(to);
    const { manifest, silent, topics } = await settled(app, () => backUp(app, place, choice, context.progress));
    const { at, tables, objects, extras, missing } = manifest;
    const rows = tables.reduce((sum, table) => sum + table.rows, 0);
    const bytes = [...tables, ...extras].reduce((sum, file) => sum + file.bytes, objects.total);
    const files = extras.length === 0 ? '' : `, ${counted(extras.length, 'file')}`;
    const lines = [
      `Backed up as of ${at}: ${counted(rows, 'row')} of the registry, ${counted(objects.count, 'object')}${files}; ${formatBytes(bytes)}.`,
      ...missing.slice(0, MOST_SHOWN).map(({ what, key }) => `MISSING  ${what}: ${key}`),
      ...(missing.length > MOST_SHOWN ? [`… and ${missing.length - MOST_SHOWN} more; all are in --json`] : []),
      ...topics.map((topic) => `Pushed events in topic "${topic}" stay there: the backup holds where they are.`),
      ...silent.map((writer) => `MISSING  what writer ${writer} has not shipped`),
    ];
    return {
      json: { at, rows, objects: objects.count, files: extras.length, bytes, missing, silent_writers: silent, topics },
      text: lines.join('\n'),
      exitCode: missing.length + silent.length > 0 ? 1 : 0,
    };
  },
});

/** Logs of dead servers of this machine are shipped, where there is any that is not. */
async function settled<T>(app: App, run: () => Promise<T>): Promise<T> {
  const isOpen = (await (await app.log()).writers()).some(({ state }) => state === 'open');
  if (!isOpen) return run();
  const definitions = await app.applied();
  const { withDeadSettled } = await import('../app/index.ts');
  return withDeadSettled(app, { definitions, versions: await app.versions() }, run);
}
