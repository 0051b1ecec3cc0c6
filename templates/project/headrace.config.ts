// Where things lie. `sqlite:`, `lmdb:` and `file:` are this machine's; `postgres://…`, `redis://…` and `s3://…` are shared.
// The environment wins over this file: HEADRACE_REGISTRY_URL, HEADRACE_ONLINE_URL, HEADRACE_ARTIFACTS_URL, …

import { defineConfig } from 'headrace';

export default defineConfig({
  project: 'shop',
  repo: './feature_repo',
  registry: { url: 'sqlite:.headrace/registry.db' },
  online: { url: 'lmdb:.headrace/online' },
  offline: { engine: 'duckdb', path: '.headrace/offline', memory: '2GB' },
  artifacts: { url: 'file:.headrace/artifacts' },
  server: { host: '127.0.0.1', port: 8080 },
});
