// What holds in a container whatever the project is; the rest comes by HEADRACE_… variables, which win.

import { defineConfig } from 'headrace';

export default defineConfig({
  project: 'headrace',
  server: { host: '0.0.0.0', port: 8080, grpcPort: 8081, drainDelayMs: 10_000, drainTimeoutMs: 10_000 },
});
