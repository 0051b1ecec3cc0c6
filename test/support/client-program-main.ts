// Runs client-program.ts by a trial as JSON, on a platform with a command line; prints what there was to see.

import { type ClientTrial, tryClient } from './client-program.ts';

const [text = '{}'] = process.argv.slice(2);
console.log(JSON.stringify(await tryClient(JSON.parse(text) as ClientTrial)));
