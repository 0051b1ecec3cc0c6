// What the request itself tells of a departure. The same function runs in training sets and at serving time.

import { onDemandView, t } from 'headrace';

export const departure = onDemandView('departure', {
  inputs: { request: { scheduled_at: t.timestamp(), distance: t.float32() } },
  features: { hour: t.int32(), weekday: t.int32(), distance: t.float32() },
  // The data keeps each airport's local time as if it were UTC, so the hour is the one on the airport's clock.
  transform: ({ request }) => ({
    hour: request.scheduled_at?.getUTCHours() ?? null,
    weekday: request.scheduled_at?.getUTCDay() ?? null,
    distance: request.distance,
  }),
});
