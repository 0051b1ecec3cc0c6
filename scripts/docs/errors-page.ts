// docs/reference/errors.md, from the catalogue.

import { ERRORS } from '../../src/core/index.ts';

export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, grpc, title, help }]) =>
      `| \`${code}\` | ${status} | ${grpc} | **${title}.** ${help.replaceAll('|', '\\|')} |`,
  );
  return `# Errors

<!-- Written by \`npm run docs\` from src/core/errors.ts. -->

Every error has a code. The command line prints \`CODE: sentence\` on stderr and ends with 1 (2 for \`HR_USAGE\`); with \`--json\` it
also prints \`{"error":{"code","message","details"}}\` on stdout. Over HTTP it is an \`application/problem+json\` document with
\`code\`, \`detail\` and \`errors: [{path, message}]\`. Mistakes in a feature repository have \`file\`, \`line\` and \`column\`, too
([all of them](definition-mistakes.md)). 429 and 503 carry \`Retry-After\`.

| Code | HTTP | gRPC | What it means, what to do |
|---|---|---|---|
${rows.join('\n')}
`;
}
