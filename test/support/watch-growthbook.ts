// GrowthBook's SDK in a process of its own, as a service has it: prints what it makes of three flags whenever that changes.
// Arguments: the server's URL, the client key.

import { GrowthBookClient } from '@growthbook/growthbook';

const [apiHost = '', clientKey = ''] = process.argv.slice(2);
const client = new GrowthBookClient({ apiHost, clientKey });
const { success, error } = await client.init({ timeout: 10_000, streaming: true });
if (!success) throw error ?? new Error('no features');
const attributes = { customer: 'ada', shop: 1, unit: '["ada",1]', amount: 1, country: 'FR' };
const valueOf = (flag: string): unknown => client.evalFeature(flag, { attributes }).value;
let told = '';
setInterval(() => {
  const isTrial = client.getFeatures()['trial'] !== undefined;
  const line = JSON.stringify({ returning: valueOf('returning'), checkout: valueOf('checkout'), isTrial });
  if (line !== told) console.log(line);
  told = line;
}, 20);
