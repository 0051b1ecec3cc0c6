// What features are about: an airport, and a route from one airport to another.

import { entity, t } from 'headrace';

export const airport = entity('airport', {
  keys: { airport: t.string() },
  description: 'An airport, by its IATA code.',
});

export const route = entity('route', {
  keys: { origin: t.string(), destination: t.string() },
  description: 'A directed pair of airports: ATL to SAV is not SAV to ATL.',
});
