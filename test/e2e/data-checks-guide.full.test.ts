// The guide on data checks, from the first command to the last, with all that it shows.
// twin: test/integration/quarantined-files.test.ts > rows of files that a rule sets apart
// twin: test/integration/push-checks.test.ts > a push

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createProject, headrace } from '../support/serving-project.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/data-checks.md');
const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'rides' });
`;
const RIDES = `id,driver,city,minutes,at
1,ada,Bern,12,2026-01-01T08:00:00Z
2,ada,Basel,9999,2026-01-01T09:00:00Z
3,bob,Zug,7,2026-01-01T10:00:00Z
3,bob,Bern,8,2026-01-01T10:30:00Z
`;
const EVENTS = `{"id":4,"driver":"bob","city":"Bern","minutes":20,"at":"2026-01-02T08:00:00Z"}
{"id":5,"driver":"bob","city":"Bern","minutes":700,"at":"2026-01-02T09:00:00Z"}
`;

describe('what the guide on data checks shows', () => {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'feature_repo/rides.csv': RIDES,
    'events.jsonl': EVENTS,
    'spine.csv': 'driver,at\nada,2026-02-01T00:00:00Z\nbob,2026-02-01T00:00:00Z\n',
  });
  afterAll(() => project.remove());

  it('is what its commands print, and what was put back counts', () => {
    const all = runGuide(GUIDE, project);
    expect(all).toHaveLength(3);
    const words = (text: string) => text.replaceAll(/ +$/gm, '');
    for (const { command, shown, printed } of all) {
      expect(words(printed), command).toBe(words(shown));
    }
    const features = headrace(project, [
      'features',
      'get',
      '--service',
      'drivers',
      '--rows',
      '[{"driver":"bob"},{"driver":"ada"}]',
      '--json',
    ]);
    expect(JSON.parse(features.stdout).rows.map(({ features: own }: { features: unknown }) => own)).toEqual([
      { rhythm__last_minutes: 700, rhythm__mean_365d: (7 + 8 + 20 + 700) / 4, rhythm__rides: 4 },
      { rhythm__last_minutes: 9999, rhythm__mean_365d: (12 + 9999) / 2, rhythm__rides: 2 },
    ]);
    const shown = headrace(project, ['training-set', 'show', 'rides']);
    expect(shown.stdout).toContain('rhythm__last_minutes');
    expect(shown.stdout).toMatch(/[▁▂▃▄▅▆▇█]/);
    const audit = headrace(project, ['audit', '--json']);
    expect(audit.stdout).toContain('quarantine.release');
  }, 300_000);
});
