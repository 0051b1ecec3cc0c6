// Whole requests by the minute: the meters of endpoints and services, with their series beside them.

import { failureKind } from '../monitor/failure-kind.ts';
import type { EndpointMeter, Monitor } from '../monitor/monitor.ts';
import type { MinuteCollector } from './collect-minutes.ts';
import type { Series } from './series.ts';

/** The monitor, of which what endpoints and services count is counted by the minute, too. */
export function withMinutes(monitor: Monitor, minutes: MinuteCollector): Monitor {
  const endpoints = new Map<string, EndpointMeter>();
  const services = new Map<string, EndpointMeter>();
  const both = (meter: EndpointMeter, series: Series): EndpointMeter => ({
    answered(latencyMicros, rows) {
      meter.answered(latencyMicros, rows);
      minutes.tick();
      series.answered(latencyMicros, rows);
    },
    rowFailed: meter.rowFailed,
    failed(code) {
      meter.failed(code);
      minutes.tick();
      series.failed(failureKind(code), 0);
    },
  });
  return {
    ...monitor,
    endpoint(name) {
      let meter = endpoints.get(name);
      if (meter === undefined) endpoints.set(name, (meter = both(monitor.endpoint(name), minutes.endpoint(name))));
      return meter;
    },
    service(name) {
      let meter = services.get(name);
      if (meter === undefined) {
        const own = { ...monitor.service(name), rowFailed: () => {} };
        services.set(name, (meter = both(own, minutes.service(name))));
      }
      return meter;
    },
  };
}
