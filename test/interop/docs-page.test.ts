// The page at /docs in a real browser: it loads from its own server alone, breaks no policy, and its forms send requests.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { type Browser, findBrowser, openBrowser } from '../support/browser.ts';
import { openServing, type OpenServing } from '../support/open-serving.ts';
import { skipBecause } from '../support/skips.ts';
import { TYPED_REPOSITORY } from '../support/typed-shop.ts';

const program = findBrowser();
if (program === undefined) skipBecause('the page at /docs in a browser: there is no chromium');

describe.skipIf(program === undefined)('the page in a browser', () => {
  let open: OpenServing;
  let serving: Serving;
  let browser: Browser;
  beforeAll(async () => {
    open = await openServing({ repository: TYPED_REPOSITORY, features: 3 });
    serving = await serveInProcess(open.app, { host: '127.0.0.1', port: 0, compacts: false });
    browser = await openBrowser(program ?? '');
  });
  afterAll(async () => {
    await browser.close();
    await serving.stop();
    await open.close();
  });

  it('loads from its own server alone, and its forms work', async () => {
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
});
