// For `node --import`: this process's clock is off by the milliseconds that a file has, as one whose machine's clock is set. What
// counts time without anybody setting it goes on as it was.

import { readFileSync, watchFile } from 'node:fs';

const file = process.env['HEADRACE_TEST_CLOCK'];
const dateNow = Date.now;
let offMs = 0;
const read = () => {
  offMs = Number(readFileSync(file, 'utf8'));
};
if (file !== undefined) {
  read();
  watchFile(file, { interval: 20, persistent: false }, read);
  Date.now = () => dateNow() + offMs;
}
