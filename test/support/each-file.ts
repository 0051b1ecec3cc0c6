// Vitest imports this before each test file: measures what it costs, and fails it where it leaves something behind.

import { afterAll } from 'vitest';
import { beginFile } from './each-file/begin-file.ts';

const file = beginFile();

// The first hook of a file is the last to run after it. Vitest wants the first argument destructured.
// oxlint-disable-next-line no-empty-pattern
afterAll(async ({}, suite) => {
  const { costs, left } = await file.end(suite.file.name);
  Object.assign(suite.file.meta, { costs });
  if (left.length > 0) throw new Error(`This file leaves behind: ${left.join('; ')}. What a test opens, it closes.`);
});
