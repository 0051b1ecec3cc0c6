// A report as one HTML file that needs nothing else.

import { escape } from './markup.ts';
import { STYLE } from './style.ts';

/** `lead` is a sentence; `main` the HTML that follows it. */
export function htmlPage(o: {
  readonly title: string;
  readonly heading: string;
  readonly lead: string;
  readonly main: string;
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(o.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escape(o.heading)}</h1>
<p>${escape(o.lead)}</p>
</header>
${o.main}
</main>
</body>
</html>
`;
}
