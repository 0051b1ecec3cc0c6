// docs/reference/configuration.md, from the table of settings.

import { type Setting, SETTINGS, variablesOf } from '../../src/app/index.ts';

export function configurationPage(): string {
  const rows = (SETTINGS as readonly Setting[]).map((setting) => {
    const { key, kind, help, required } = setting;
    const given =
      setting.default === undefined ? (required === true ? '*required*' : '') : `\`${String(setting.default)}\``;
    return `| \`${key}\` | ${kind} | ${given} | ${variablesOf(setting)
      .map((name) => `\`${name}\``)
      .join(', ')} | ${help} |`;
  });
  return `# Configuration

<!-- Written by \`npm run docs\` from src/app/settings.ts. -->

\`headrace.config.ts\` is looked for where the command runs and in the folders above, or given with \`--config FILE\`:

\`\`\`ts
import { defineConfig } from 'headrace';

export default defineConfig({
  project: 'flights',
  repo: './feature_repo',
  registry: { url: 'sqlite:.headrace/registry.db' },
  online: { url: 'lmdb:.headrace/online' },
  offline: { engine: 'duckdb', path: '.headrace/offline', memory: '4GB' },
  artifacts: { url: 'file:.headrace/artifacts' },
  server: { host: '127.0.0.1', port: 8080, grpcPort: 8081, workers: 1 },
});
\`\`\`

Relative paths, in urls too, start at the file's folder, wherever the command runs. Every value can be set by its environment
variable, which wins. An unknown key is an error that names the nearest known one; all mistakes are told at once.

| Key | Type | Default | Environment | |
|---|---|---|---|---|
${rows.join('\n')}

Four variables are no settings: \`HEADRACE_ACTOR\` is the name that the audit log gets (default: the user's), \`HEADRACE_KEY\` the key of commands that ask a running server,
\`HEADRACE_PYTHON\` the Python of pipelines' steps, and \`INIT_CWD\`, set by npm, is where relative paths on the command line start
under \`npm run headrace\`.
`;
}
