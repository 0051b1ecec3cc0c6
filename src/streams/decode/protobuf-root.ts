// The files of a Protobuf schema put together: each once, with those of Google's that it imports.

import protobuf from 'protobufjs';

export interface ProtobufRoot {
  readonly root: protobuf.Root;
  /** Gives the names of what it imports besides Google's own. Throws what the text is not. */
  add(text: string): readonly string[];
}

export function createProtobufRoot(): ProtobufRoot {
  const root = new protobuf.Root();
  const added = new Set<string>();
  return {
    root,
    add(text) {
      const { imports = [], weakImports = [] } = protobuf.parse(text, root, { keepCase: true });
      return [...imports, ...weakImports].filter((name) => {
        const common = googleFile(name);
        const nested = protobuf.common.get(common)?.nested;
        if (nested === undefined) return true;
        if (!added.has(common)) root.addJSON(nested);
        added.add(common);
        return false;
      });
    },
  };
}

/** However a schema reaches it: `vendor/google/protobuf/any.proto` is Google's own. */
function googleFile(name: string): string {
  const at = name.lastIndexOf('google/protobuf/');
  return at < 0 ? name : name.slice(at);
}
