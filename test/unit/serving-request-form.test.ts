import { expect, it } from 'vitest';
import { countHosts } from '../../src/serving/http/security/request-form.ts';

it.each([
  [0, []],
  [0, ['Date', 'host', 'From', 'a']],
  [1, ['Accept', '*/*', 'hOST', 'localhost', 'Date', 'now']],
  [2, ['Host', 'localhost', 'host', 'evil.example']],
])('counts %i Host headers, whatever their case and whatever else has four letters', (count, rawHeaders) => {
  expect(countHosts(rawHeaders)).toBe(count);
});
