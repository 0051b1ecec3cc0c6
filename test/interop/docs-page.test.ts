// The page at /docs in a real browser: it loads from its own server alone, breaks no policy, and its forms send requests.

import { expect, it, onTestFinished } from 'vitest';
import { serveInProcess } from '../../src/app/serve-worker.ts';
import { findBrowser, openBrowser } from '../support/browser.ts';
import { openServing } from '../support/open-serving.ts';
import { skipBecause } from '../support/skips.ts';
import { TYPED_REPOSITORY } from '../support/typed-shop.ts';

const program = findBrowser();
if (program === undefined) skipBecause('the page at /docs in a browser: there is no chromium');

it.skipIf(program === undefined)('the page loads from its own server alone, and its forms work', async () => {
  const open = await openServing({ repository: TYPED_REPOSITORY, features: 3 });
  onTestFinished(() => open.close());
  const serving = await serveInProcess(open.app, { host: '127.0.0.1', port: 0, compacts: false });
  onTestFinished(() => serving.stop());
  const browser = await openBrowser(program ?? '');
  onTestFinished(() => browser.close());
  await browser.open(`${serving.url}/`);
  expect(await browser.evaluate('location.pathname')).toBe('/docs');
  expect(await browser.evaluate('getComputedStyle(document.querySelector("table")).borderCollapse')).toBe('collapse');
  const answer = await browser.evaluate(`new Promise((resolve) => {
    const form = document.querySelector('form[data-path="/v1/endpoints/checkout/predict"]');
    const output = form.querySelector('output');
    new MutationObserver(() => {
      if (output.textContent.includes('}')) resolve(output.textContent);
    }).observe(output, { childList: true });
    form.querySelector('button').click();
  })`);
  expect(answer).toMatch(/^200 OK, [\d.]+ ms\n\{\n {2}"endpoint": "checkout",\n {2}"predictions": \[\n {4}\{/);
  expect(answer).toContain('"outputs": {\n        "probability": 0.25\n      }');
  expect(browser.errors()).toEqual([]);
  const others = browser.requested().filter((url) => !url.startsWith(`${serving.url}/`) && !url.startsWith('data:'));
  expect(others).toEqual([]);
});
