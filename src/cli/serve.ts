// `headrace serve`: predictions over HTTP and gRPC until SIGTERM or SIGINT.

import { defineCommand, textOption } from './command.ts';
import { wholeNumberOption } from './whole-number-option.ts';

export const serveCommand = defineCommand({
  usage: 'serve',
  summary: 'serve predictions over HTTP and gRPC until told to stop',
  example: 'headrace serve --port 8080 --workers 2',
  options: (command) =>
    command
      .option('--host <host>', 'address to listen on')
      .option('--port <port>', 'HTTP port; 0 takes a free one')
      .option('--grpc-port <port>', 'gRPC port; 0 takes a free one')
      .option('--workers <count>', 'processes that serve')
      .option('--insecure', 'allow an address that other machines can reach, without keys'),
  async run(context, _args, options) {
    const port = wholeNumberOption(options, 'port', 0, 65_535);
    const grpcPort = wholeNumberOption(options, 'grpc-port', 0, 65_535);
    const workers = wholeNumberOption(options, 'workers', 1, 1024);
    const { SERVING_QUERY_TIMEOUT_MS, startServer, stopSignal, STORES_LIMIT_MS } = await import('../app/index.ts');
    const app = await context.app('write', { queryTimeoutMs: SERVING_QUERY_TIMEOUT_MS });
    const stopped = stopSignal();
    const server = await startServer(app, {
      host: textOption(options, 'host'),
      port,
      grpcPort,
      workers,
      insecure: options['insecure'] === true ? true : undefined,
    });
    const { grpcAddress } = server;
    const grpc = grpcAddress === undefined ? {} : { grpc: grpcAddress };
    context.announce({
      json: { url: server.url, ...grpc, workers: server.workers, pid: process.pid },
      text: `Serving ${server.url} (docs: ${server.url}/docs)${grpcAddress === undefined ? '' : `, gRPC on ${grpcAddress}`}`,
    });
    const signal = await stopped;
    const drainDelayMs = app.config.values['server.drainDelayMs'];
    app.logger.info({ signal, drainDelayMs }, 'stopping');
    // Without a delay a second signal ends the process, as it does elsewhere.
    if (drainDelayMs > 0) void stopSignal().then(() => server.hurry());
    await server.stop();
    app.logger.info({}, 'stopped');
    // What still holds the process (a store that closes slowly) does not hold it for long.
    setTimeout(() => process.exit(0), STORES_LIMIT_MS).unref();
    return { json: undefined, text: '' };
  },
});
