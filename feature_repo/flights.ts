// The one source: a row per flight, written when it has landed.

import { parquet, t } from 'headrace';

export const flights = parquet('flights', {
  path: 'data/flights/*.parquet',
  columns: {
    origin: t.string(),
    destination: t.string(),
    distance: t.float32(), // miles
    delay: t.float64(), // minutes late at the gate; negative when early
    departed_at: t.timestamp(),
    landed_at: t.timestamp(),
  },
  derive: {
    is_late: [t.float64(), (row) => (row.delay == null ? null : row.delay > 15 ? 1 : 0)],
  },
  eventTime: 'departed_at',
  // A flight's delay exists from its departure on, but nobody knows it before the landing. Without this line a
  // training set would see delays of planes still in the air, and the model would look far better than it is.
  knownTime: 'landed_at',
  expect: [
    // A flight without them belongs to no airport: something is wrong with the export, and nothing is written from it.
    { notNull: ['origin', 'destination', 'departed_at'], onFail: 'fail' },
    // Minutes and miles outside these are told of.
    { between: { delay: [-1440, 3000], distance: [1, 6000] } },
  ],
  description: 'US flights with their delay on arrival.',
});
