// The page at /docs: the user's own endpoints, services, sources and views with their columns, and a form to try each. Plain
// HTML made on the server; it loads nothing from anywhere else.

import { stringifyJson, typeName } from '../../../core/index.ts';
import type {
  AnsweredField,
  Catalogue,
  Described,
  ListedEndpoint,
  ListedService,
  ListedSource,
  ListedView,
  RequestColumn,
} from '../../catalogue.ts';
import { exampleRow } from '../openapi/row-schema.ts';
import { type Html, html } from './html.ts';

/** A route that is not about one object. */
export interface OtherRoute {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
}

/** `catalogue`: undefined before anything is applied. */
export function docsPage(catalogue: Catalogue | undefined, routes: readonly OtherRoute[], version: string): string {
  const title = catalogue === undefined ? 'Headrace' : `${catalogue.project} · Headrace`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/page.css">
<script src="/docs/page.js" defer></script>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header>
<h1>${catalogue?.project ?? 'Headrace'}</h1>
<p>Headrace ${version}${catalogue === undefined ? '' : ` · revision ${catalogue.revision}`} ·
<a href="/openapi.json">OpenAPI</a> · <a href="/health/ready">health</a> · <a href="/metrics">metrics</a></p>
<label>API key, where the server asks for one <input id="key" type="password" autocomplete="off" spellcheck="false"></label>
</header>
${catalogue === undefined ? NOTHING : contents(catalogue)}
<main id="main">
${catalogue === undefined ? [] : sections(catalogue)}
<section aria-labelledby="routes"><h2 id="routes">Other routes</h2>${routesTable(routes)}</section>
</main>
</body>
</html>`;
  return page.text;
}

const NOTHING = html`<p class="note">Nothing is applied yet. Run <code>headrace apply</code>, then load this page again.</p>`;

function contents({ endpoints, services, sources, views }: Catalogue): Html {
  const list = (title: string, kind: string, objects: readonly Described[]): Html =>
    html`<div><h2>${title}</h2><ul>${objects.map(({ name }) => html`<li><a href="#${kind}-${name}">${name}</a></li>`)}</ul></div>`;
  return html`<nav aria-label="Contents">${[
    list('Endpoints', 'endpoint', endpoints),
    list('Services', 'service', services),
    list('Sources', 'source', sources),
    list('Views', 'view', views),
  ]}</nav>`;
}

function sections({ endpoints, services, sources, views }: Catalogue): Html[] {
  const section = (title: string, articles: readonly Html[]): Html =>
    html`<section><h2>${title}</h2>${articles.length === 0 ? html`<p>There are none.</p>` : articles}</section>`;
  return [
    section('Endpoints', endpoints.map(endpointArticle)),
    section('Services', services.map(serviceArticle)),
    section('Sources', sources.map(sourceArticle)),
    section('Views', views.map(viewArticle)),
  ];
}

function endpointArticle(endpoint: ListedEndpoint): Html {
  const { name, model, unit, request, outputs, features } = endpoint;
  const sticky = unit.length === 0 ? '' : ` A row sticks to its variant by ${unit.join(', ')}.`;
  return article('endpoint', endpoint, [
    html`<p>Predicts by the model <code>${model}</code>.${sticky}</p>`,
    html`<h4>Request columns</h4>${columnsTable(request)}`,
    html`<h4>Outputs</h4>${fieldsTable(outputs)}`,
    html`<details><summary>${features.length} features, with <code>return_features</code></summary>${fieldsTable(features)}</details>`,
    tryForm(`/v1/endpoints/${name}/predict`, { inputs: [exampleRow(request)], options: { return_features: true } }),
    html`<p>What became of predictions goes to <code>POST /v1/endpoints/${name}/outcomes</code>.</p>`,
  ]);
}

function serviceArticle(service: ListedService): Html {
  const { name, state, request, features } = service;
  return article('service', service, [
    html`<p>${STATES[state]}</p>`,
    html`<h4>Request columns</h4>${columnsTable(request)}`,
    html`<h4>Features</h4>${fieldsTable(features)}`,
    tryForm(`/v1/services/${name}/read`, { rows: [exampleRow(request)] }),
  ]);
}

const STATES: Readonly<Record<ListedService['state'], string>> = {
  current: 'Answered by the applied definitions.',
  waiting: 'Answered by earlier definitions, until a run has filled what it reads.',
  unfilled: 'No run has filled what it reads: it answers with what there is.',
  unserved: 'Not answered: what it reads is not filled.',
};

function sourceArticle(source: ListedSource): Html {
  return article('source', source, [
    html`<p>Kind: ${source.kind}.</p>`,
    html`<h4>Columns</h4>${columnsTable(source.columns)}`,
    tryForm(`/v1/sources/${source.name}/push`, { rows: [exampleRow(source.columns)] }),
  ]);
}

function viewArticle(view: ListedView): Html {
  const { entity, keys, source, features, versions } = view;
  const rows = features.map(
    ({ name, type, description = '', aggregation }) =>
      html`<tr><th scope="row"><code>${name}</code></th><td>${typeName(type)}</td><td>${aggregation.op}</td><td>${description}</td></tr>`,
  );
  const listed = versions.map(
    ({ version, isCurrent, isComplete }) =>
      html`<li><code>${version}</code>${isCurrent ? '' : ', earlier'}${isComplete ? '' : ', being filled'}</li>`,
  );
  return article('view', view, [
    html`<p>Of <code>${entity}</code> (${keys.map(({ name }) => name).join(', ')}), from <a href="#source-${source}">${source}</a>.</p>`,
    table(['Feature', 'Type', 'Made by', ''], rows),
    html`<ul>${listed}</ul>`,
  ]);
}

function article(kind: string, { name, description, owner, tags = {} }: Described, parts: readonly Html[]): Html {
  const labels = [
    ...(owner === undefined ? [] : [`owner: ${owner}`]),
    ...Object.entries(tags).map((tag) => tag.join(': ')),
  ];
  return html`<article id="${kind}-${name}"><h3>${name}</h3>
${description === undefined ? [] : html`<p>${description}</p>`}
${labels.length === 0 ? [] : html`<p class="labels">${labels.map((label) => html`<span>${label}</span> `)}</p>`}
${parts}</article>`;
}

function columnsTable(columns: readonly RequestColumn[]): Html {
  const rows = columns.map(({ name, type, isRequired, default: given, description }) => {
    const presence = isRequired ? 'required' : given === undefined ? 'optional' : `default ${stringifyJson(given)}`;
    return html`<tr><th scope="row"><code>${name}</code></th><td>${typeName(type)}</td><td>${presence}</td><td>${description}</td></tr>`;
  });
  return table(['Column', 'Type', '', 'For'], rows);
}

function fieldsTable(fields: readonly AnsweredField[]): Html {
  const rows = fields.map(
    ({ name, types, description = '' }) =>
      html`<tr><th scope="row"><code>${name}</code></th><td>${types.map(typeName).join(' | ')}</td><td>${description}</td></tr>`,
  );
  return table(['Name', 'Type', ''], rows);
}

function routesTable(routes: readonly OtherRoute[]): Html {
  const rows = routes.map(
    ({ method, path, summary }) =>
      html`<tr><th scope="row"><code>${method} ${path}</code></th><td>${summary}</td></tr>`,
  );
  return table(['Route', ''], rows);
}

function table(headings: readonly string[], rows: readonly Html[]): Html {
  const heads = headings.map((heading) => html`<th scope="col">${heading}</th>`);
  return html`<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`;
}

function tryForm(path: string, example: object): Html {
  return html`<form class="try" data-path="${path}"><label><code>POST ${path}</code>
<textarea rows="9" spellcheck="false">${stringifyJson(example, 2)}</textarea></label>
<button>Send</button><output aria-live="polite"></output></form>`;
}
