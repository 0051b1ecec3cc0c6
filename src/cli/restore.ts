// `headrace restore`: a backup into the registry and the artifact store that the configuration names.

import { counted } from '../core/index.ts';
import { defineCommand } from './command.ts';

export const restoreCommand = defineCommand({
  usage: 'restore <from>',
  summary: 'bring a backup back into an empty registry, SQLite or Postgres, whichever it came from',
  example:
    'headrace restore /backups/2026-11-25\nheadrace restore s3://bucket/backups/2026-11-25 --config other.config.ts',
  notes:
    'Start with an empty online store: fill it with `headrace materialize --incremental` afterwards. A push that was\nanswered before and is sent again with its Idempotency-Key counts anew, as those are kept in the online store.',
  options: (command) =>
    command.option('--force', 'write over what the registry and the artifact store hold; no server may be at work'),
  async run(context, [from = ''], options) {
    const { restore } = await import('../app/index.ts');
    const app = await context.app('write');
    const place = /^[a-z0-9]+:\/\//i.test(from) ? from : context.path(from);
    const { manifest, rows } = await restore(app, place, { force: options['force'] === true }, context.progress);
    const { at, headrace, objects, extras, missing } = manifest;
    const files = extras.length === 0 ? '' : `, ${counted(extras.length, 'file')}`;
    const lines = [
      `Restored as of ${at}: ${counted(rows, 'row')} of the registry, ${counted(objects.count, 'object')}${files}.`,
      ...(missing.length === 0
        ? []
        : [`${counted(missing.length, 'object')} the backup never had; they are in its manifest.`]),
      'Fill the online store now: headrace materialize --incremental',
    ];
    return {
      json: { at, headrace, rows, objects: objects.count, files: extras.length, missing },
      text: lines.join('\n'),
    };
  },
});
