// Which methods each path takes, for telling a wrong method (405) from a path that is not there (404).

export interface RouteMethods {
  /** `url` as it was registered: `/v1/endpoints/:endpoint`. */
  add(method: string | readonly string[], url: string): void;
  /** The methods of a path that a client asked for; none when there is no such path. */
  methodsOf(path: string): string[];
  /** Paths that a client may have meant: of each route, with the names that the asked path has in their places. */
  pathsLike(path: string): string[];
}

export function createRouteMethods(): RouteMethods {
  const byUrl = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  return {
    add(method, url) {
      let route = byUrl.get(url);
      if (route === undefined) {
        const pattern = new RegExp(`^${url.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+')}$`);
        byUrl.set(url, (route = { pattern, methods: new Set() }));
      }
      for (const one of [method].flat()) route.methods.add(one);
    },
    methodsOf(path) {
      return [...byUrl.values()].flatMap(({ pattern, methods }) => (pattern.test(path) ? [...methods] : []));
    },
    pathsLike(path) {
      const asked = path.split('/');
      return [...byUrl.keys()].map((url) =>
        url
          .split('/')
          .map((part, at) => (part.startsWith(':') ? (asked[at] ?? part) : part))
          .join('/'),
      );
    },
  };
}
