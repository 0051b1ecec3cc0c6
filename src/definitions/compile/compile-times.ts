// Schedules as they are written, of pipelines and of views.

import { Cron } from 'croner';
import type { AuthoredPipeline, AuthoredView } from '../authoring/authored.ts';
import { describeResult } from '../calling/user-value.ts';
import type { ViewSpec } from '../manifest.ts';
import type { Mistakes } from './mistakes.ts';
import { showName } from './names.ts';

/** Each member is left out where it is the default. */
export function compileViewTimes(
  view: AuthoredView,
  mistakes: Mistakes,
): Pick<ViewSpec, 'schedule' | 'timezone' | 'catchUp'> {
  checkSchedule(view, mistakes);
  const { schedule, timezone, catchUp } = view;
  if (catchUp !== undefined && catchUp !== 'latest' && catchUp !== 'none') {
    mistakes.add(
      view,
      `catchUp must be 'latest' or 'none', got ${describeResult(catchUp)}: one run brings a view up to date, however many times were missed`,
      [1, 'catchUp'],
    );
  }
  return {
    ...(schedule === undefined ? {} : { schedule }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(catchUp === 'none' ? { catchUp } : {}),
  };
}

export function checkSchedule(owner: AuthoredPipeline | AuthoredView, mistakes: Mistakes): void {
  const { schedule, timezone } = owner;
  if (schedule !== undefined && !isCron(schedule)) {
    mistakes.add(
      owner,
      `schedule ${showName(schedule)} is no cron expression: write five fields, '0 3 * * *' for every day at 03:00`,
      [1, 'schedule'],
    );
  }
  if (timezone !== undefined && !isTimeZone(timezone)) {
    mistakes.add(owner, `timezone ${showName(timezone)} is not known: use an IANA name such as 'Europe/Berlin'`, [
      1,
      'timezone',
    ]);
  }
}

export function isCron(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  try {
    new Cron(text, { paused: true });
    return true;
  } catch {
    return false;
  }
}

export function isTimeZone(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: text });
    return true;
  } catch {
    return false;
  }
}
