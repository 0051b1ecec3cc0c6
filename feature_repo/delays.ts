// How late flights have been lately: by the airport they left from, and by route.

import { count, featureView, latest, mean } from 'headrace';
import { airport, route } from './entities.ts';
import { flights } from './flights.ts';

export const airportDelays = featureView('airport_delays', {
  entity: airport,
  source: flights,
  keys: { airport: 'origin' },
  ttl: '2d', // a last delay older than two days says nothing about today
  features: {
    last_delay: latest('delay'),
    late_rate_3h: mean('is_late').over('3h'),
    late_rate_1d: mean('is_late').over('1d'),
    late_rate_7d: mean('is_late').over('7d'),
    late_rate_30d: mean('is_late').over('30d'),
    flights_3h: count().over('3h'),
    flights_1d: count().over('1d'),
    flights_7d: count().over('7d'),
    flights_30d: count().over('30d'),
  },
  description: 'Share of late arrivals, and traffic, of flights that left an airport.',
  owner: 'ops',
});

export const routeDelays = featureView('route_delays', {
  entity: route, // its keys, origin and destination, are the source's columns of the same name
  source: flights,
  features: {
    late_rate_3h: mean('is_late').over('3h'),
    late_rate_1d: mean('is_late').over('1d'),
    late_rate_7d: mean('is_late').over('7d'),
    late_rate_30d: mean('is_late').over('30d'),
    flights_3h: count().over('3h'),
    flights_1d: count().over('1d'),
    flights_7d: count().over('7d'),
    flights_30d: count().over('30d'),
  },
  description: 'Share of late arrivals, and traffic, of a route.',
  owner: 'ops',
});
