// The platform's own `import()`. Test runners rewrite it in the modules that they load themselves; this file is always
// loaded by the platform, through `require`.

export function platformImport(url: string): Promise<Record<string, unknown>> {
  return import(url);
}
