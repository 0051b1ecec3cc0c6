// The page's own style and script, as they are served. The script sends what a form holds, and shows what came.

export const PAGE_STYLE = `:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #0a58ca; }
@media (prefers-color-scheme: dark) { :root { --link: #8ab4f8; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem 1.5rem 4rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
h1 { margin: 0; } h2 { margin: 2.5rem 0 .5rem; } h4 { margin: 1.25rem 0 .25rem; }
a { color: var(--link); }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; }
nav { display: grid; gap: 0 2rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); }
nav h2 { font-size: 1rem; margin: 1rem 0 0; } nav ul { list-style: none; margin: 0; max-height: 16rem; overflow: auto; padding: 0; }
article { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: .25rem 1rem 1rem; }
article h3 { font-size: 1.2rem; margin: .5rem 0; }
code, textarea, output { font: .875rem/1.45 ui-monospace, monospace; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; min-width: 60%; }
th, td { border-bottom: 1px solid var(--line); font-weight: normal; padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; }
thead th { font-size: .85rem; font-weight: 600; }
.labels span { background: var(--soft); border-radius: 1rem; font-size: .85rem; padding: .1rem .6rem; }
.note { background: var(--soft); padding: 1rem; }
.try { margin-top: 1.25rem; } .try label { display: block; }
textarea { display: block; margin: .25rem 0 .5rem; width: 100%; }
button { font: inherit; padding: .25rem 1rem; }
output { display: block; margin-top: .5rem; max-height: 24rem; overflow: auto; white-space: pre-wrap; }
`;

export const PAGE_SCRIPT = `'use strict';
const key = document.getElementById('key');
for (const form of document.querySelectorAll('form.try')) {
  const output = form.querySelector('output');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    output.textContent = 'waiting for the answer';
    const headers = { 'content-type': 'application/json' };
    if (key.value !== '') headers.authorization = 'Bearer ' + key.value;
    const start = performance.now();
    try {
      const body = form.querySelector('textarea').value;
      const response = await fetch(form.dataset.path, { method: 'POST', headers, body });
      const text = await response.text();
      const took = (performance.now() - start).toFixed(1);
      output.textContent = response.status + ' ' + response.statusText + ', ' + took + ' ms\\n' + spread(text);
    } catch (thrown) {
      output.textContent = String(thrown);
    }
  });
}

// Line breaks and indents between tokens; the tokens stay as they came, so that no digit of a number is lost.
function spread(json) {
  let [text, depth] = ['', 0];
  for (const [token] of json.matchAll(/"(?:[^"\\\\]|\\\\.)*"|[{}[\\],:]|[^\\s{}[\\],:"]+/g)) {
    const last = text.at(-1);
    if (token === '}' || token === ']') {
      depth--;
      text += last === '{' || last === '[' ? token : '\\n' + '  '.repeat(depth) + token;
      continue;
    }
    if (last === '{' || last === '[' || last === ',') text += '\\n' + '  '.repeat(depth);
    text += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
  }
  return text;
}
`;
