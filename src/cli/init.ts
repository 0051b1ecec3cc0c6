// `headrace init DIR`: a small project that works: a pushed source, a view, a service.

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HeadraceError } from '../core/index.ts';
import { defineCommand } from './command.ts';

export const initCommand = defineCommand({
  usage: 'init <dir>',
  summary: 'make a small working project',
  example: 'headrace init shop && cd shop && headrace apply',
  async run(context, [typed = '']) {
    const directory = context.path(typed);
    const existing = await readdir(directory).catch(() => []);
    if (existing.length > 0) throw new HeadraceError('HR_USAGE', `${directory} is not empty. Give a new folder.`);
    const project =
      basename(directory)
        .toLowerCase()
        .replace(/[^a-z0-9_-]+/g, '_')
        .replace(/^[^a-z]+/, '') || 'project';
    const files = {
      'headrace.config.ts': configFile(project),
      'feature_repo/purchases.ts': REPOSITORY,
      'events.jsonl': someEvents(Date.now()),
      '.gitignore': '.headrace/\n',
    };
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(directory, name, '..'), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    const next = [
      'apply',
      'push purchases events.jsonl',
      `features get --service customer_features --rows '[{"customer":"ada","amount":30}]'`,
    ];
    return {
      json: { directory, files: Object.keys(files) },
      text: [
        `Made ${directory}. Next:`,
        `  cd ${shellWord(directory)}`,
        ...next.map((command) => `  ${program(context.environment.variables)} ${command}`),
      ].join('\n'),
    };
  },
});

// A clone has no program of that name on the PATH: there it is npm that runs it, from any folder.
function program(variables: Readonly<Record<string, string | undefined>>): string {
  if (variables['npm_lifecycle_event'] !== 'headrace') return 'headrace';
  return `npm --prefix ${shellWord(resolve(import.meta.dirname, '../..'))} run -s headrace --`;
}

function shellWord(text: string): string {
  return /^[\w./:\\-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function configFile(project: string): string {
  return `import { defineConfig } from 'headrace';

export default defineConfig({
  project: '${project}',
  repo: './feature_repo',
  registry: { url: 'sqlite:.headrace/registry.db' },
  online: { url: 'lmdb:.headrace/online' },
  offline: { engine: 'duckdb', path: '.headrace/offline', memory: '2GB' },
  artifacts: { url: 'file:.headrace/artifacts' },
  server: { host: '127.0.0.1', port: 8080 },
});
`;
}

const REPOSITORY = `import { count, entity, featureService, featureView, latest, mean, onDemandView, pushed, t } from 'headrace';

export const customer = entity('customer', { keys: { customer: t.string() } });

export const purchases = pushed('purchases', {
  columns: { customer: t.string(), amount: t.float64(), bought_at: t.timestamp() },
  eventTime: 'bought_at',
});

export const customerPurchases = featureView('customer_purchases', {
  entity: customer,
  source: purchases,
  ttl: '365d',
  features: {
    last_amount: latest('amount'),
    purchases_30d: count().over('30d'),
    mean_amount_30d: mean('amount').over('30d'),
  },
});

export const basket = onDemandView('basket', {
  inputs: { request: { amount: t.float64() }, customer: customerPurchases },
  features: { times_usual: t.float64() },
  transform: ({ request, customer }) => ({
    times_usual: request.amount != null && customer.mean_amount_30d ? request.amount / customer.mean_amount_30d : null,
  }),
});

export const customerFeatures = featureService('customer_features', [customerPurchases, basket]);
`;

const DAY_MS = 86_400_000;

function someEvents(nowMs: number): string {
  return ['ada', 'bob', 'ada']
    .map(
      (customer, at) =>
        `{"customer":"${customer}","amount":${10 * (at + 1)},"bought_at":"${new Date(nowMs - (3 - at) * DAY_MS).toISOString()}"}\n`,
    )
    .join('');
}
