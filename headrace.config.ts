import { defineConfig } from 'headrace';

export default defineConfig({
  project: 'flights',
  repo: './feature_repo',
  registry: { url: 'sqlite:.headrace/registry.db' }, // or postgres://…
  online: { url: 'lmdb:.headrace/online' }, // or redis://…, rediss://…, redis+cluster://a,b,c
  offline: { engine: 'duckdb', path: '.headrace/offline', memory: '4GB' },
  artifacts: { url: 'file:.headrace/artifacts' }, // or s3://bucket/prefix
  server: { host: '127.0.0.1', port: 8080, grpcPort: 8081, workers: 1 },
});
