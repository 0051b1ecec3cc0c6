// Which files a Python script imports, as its text tells: held against Python's own reading of real files.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importsOf, pythonReach } from '../../src/definitions/bundling/python-imports.ts';
import { isFull } from '../support/tier.ts';

describe('imports of a text', () => {
  it.each<readonly [string, readonly (readonly [number, string, readonly string[]])[]]>([
    ['import a', [[0, 'a', []]]],
    [
      'import a.b.c as d, e ;import f',
      [
        [0, 'a.b.c', []],
        [0, 'e', []],
        [0, 'f', []],
      ],
    ],
    ['from a.b import c as d, e', [[0, 'a.b', ['c', 'e']]]],
    [
      'from . import x\nfrom ..y import z\nfrom ... import *',
      [
        [1, '', ['x']],
        [2, 'y', ['z']],
        [3, '', ['*']],
      ],
    ],
    ['from a import (\n  b, # one\n  c,\n)', [[0, 'a', ['b', 'c']]]],
    ['from a \\\n  import b', [[0, 'a', ['b']]]],
    [
      'def f():\n    if x: import a\n    else: from b import c',
      [
        [0, 'a', []],
        [0, 'b', ['c']],
      ],
    ],
    ['try:\r\n\timport a\r\nexcept ImportError: a = None', [[0, 'a', []]]],
    ['"""import a"""\n# import b\nx = "import c" # from d import e\ny = r\'\\\'\'; import f', [[0, 'f', []]]],
    ['f"{x["a"]!r:>{n}} import b {{"; import c', [[0, 'c', []]]],
    ["f'''{f'{1:{'>'}}'}\nimport b'''; import c", [[0, 'c', []]]],
    ["rf'({a})(\\{{)'; import c", [[0, 'c', []]]],
    ["f'\\{x['a']}'; import c", [[0, 'c', []]]],
    ["f'\\N{DASH} {x} \\'; import b'; import c", [[0, 'c', []]]],
    ["rf'\\N{x['a']}'; import c", [[0, 'c', []]]],
    ['raise X from y\nyield from z', []],
    [
      'import importlib; importlib.import_module("a.b")',
      [
        [0, 'importlib', []],
        [0, 'a.b', []],
      ],
    ],
    [
      'from importlib import import_module\nimport_module(".b", __package__)',
      [
        [0, 'importlib', ['import_module']],
        [1, 'b', []],
      ],
    ],
    ['__import__("a")', [[0, 'a', []]]],
    ['model.eval(); df.eval("a + b"); evaluate()', []],
    ['import ﬁt', [[0, 'fit', []]]],
  ])('are %j', (text, expected) => {
    const { imports, hidden } = importsOf(text);
    expect(hidden).toBeUndefined();
    expect(imports.map(({ level, module, names }) => [level, module, names])).toEqual(expected);
  });

  it.each([
    ['importlib.import_module(name)', /known only as it runs/],
    ['importlib.import_module(f"a.{name}")', /known only as it runs/],
    ['load = importlib.import_module', /known only as it runs/],
    ['import_module(".b", package)', /known only as it runs/],
    ['exec(open("a.py").read())', /uses exec/],
    ['eval(text)', /uses eval/],
    ['sys.path.insert(0, HERE)', /uses sys\.path/],
    ['from sys import path', /imports sys\.path/],
    ['import runpy', /imports runpy/],
    ['from importlib import util', /imports importlib\.util/],
    ['__path__ = extend(__path__, __name__)', /uses __path__/],
    ['subprocess.run([sys.executable, "-m", "a.b"])', /names "-m"/],
    ['os.environ["PYTHONPATH"] = "lib"', /names PYTHONPATH/],
    ['# -*- coding: latin-1 -*-\nimport a', /is written in latin-1/],
    ['x = (1', /a bracket is never closed/],
    ['x = 1)', /a bracket in line 1 closes none/],
  ])('may be more than its text shows: %j', (text, reason) => {
    expect(importsOf(text).hidden).toMatch(reason);
  });

  it('are those that Python itself reads in real files', () => {
    const program = `
import ast, json, os, random, sys, sysconfig
found = {}
root = sysconfig.get_paths()["stdlib"]
paths = [os.path.join(at, name) for at, _, names in os.walk(root) for name in sorted(names) if name.endswith(".py")]
random.Random(7).shuffle(paths)
for path in paths[: int(sys.argv[1])]:
    try:
        tree = ast.parse(open(path, "rb").read())
    except (SyntaxError, ValueError):
        continue
    found[path] = [
        [0, one.name, []] for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
    ] + [
        [node.level, node.module or "", [one.name for one in node.names]] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    ]
json.dump(found, sys.stdout)`;
    const said = execFileSync('python3', ['-W', 'ignore', '-c', program, isFull ? '5000' : '150'], { maxBuffer: 1e9 });
    const files = Object.entries(JSON.parse(said.toString()) as Record<string, unknown[]>);
    expect(files.length).toBeGreaterThan(100);
    for (const [path, expected] of files) {
      const text = readFileSync(path, 'utf8');
      const { imports, hidden } = importsOf(text);
      if (hidden?.startsWith('is written in') === true) continue;
      expect(hidden ?? '', path).not.toMatch(/cannot be read/);
      const own = new Set(imports.map(({ level, module, names }) => JSON.stringify([level, module, names])));
      const all = new Set(expected.map((one) => JSON.stringify(one)));
      expect([...all.difference(own)], path).toEqual([]);
      // A call with a name in quotes is no import to Python's parser.
      if (!/import_module|__import__/.test(text)) expect([...own.difference(all)], path).toEqual([]);
    }
  });
});

/** Files that `train.py` runs, of those that are given with their texts. */
async function reached(files: Readonly<Record<string, string>>, roots = ['.']): Promise<readonly string[]> {
  const paths = Object.keys(files);
  const list = (folder: string): readonly string[] => {
    const start = folder === '.' ? '' : `${folder}/`;
    return [
      ...new Set(
        paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length).split('/')[0] ?? ''),
      ),
    ];
  };
  const read = async (path: string): Promise<string> => files[path] ?? '';
  const found = await pythonReach('train.py', roots, { has: (path) => path in files, list, read }, new Set(paths));
  return found.files.filter((path) => path !== 'train.py');
}

describe('files of a script', () => {
  it.each<readonly [string, Readonly<Record<string, string>>, readonly string[]]>([
    ['import a', { 'a.py': 'import b', 'b.py': 'import a', 'c.py': '' }, ['a.py', 'b.py']],
    [
      'import a.b.c',
      { 'a/__init__.py': '', 'a/b/__init__.py': '', 'a/b/c.py': '', 'a/d.py': '' },
      ['a/__init__.py', 'a/b/__init__.py', 'a/b/c.py'],
    ],
    [
      'from a import b, other',
      { 'a/__init__.py': 'from .x import other', 'a/b.py': '', 'a/x.py': '', 'a/y.py': '' },
      ['a/__init__.py', 'a/b.py', 'a/x.py'],
    ],
    // A folder without __init__.py is a package of nothing; a package goes before a module.
    ['import a.b', { 'a/b.py': '', 'a.txt': '' }, ['a/b.py']],
    ['import a', { 'a.py': '', 'a/__init__.py': '' }, ['a/__init__.py']],
    ['import a.b', { 'a.py': '', 'a/b.py': '' }, ['a.py']],
    [
      'from a import *',
      { 'a/__init__.py': '', 'a/b.py': '', 'a/c/__init__.py': '' },
      ['a/__init__.py', 'a/b.py', 'a/c/__init__.py'],
    ],
    [
      'import a.b',
      {
        'a/__init__.py': '',
        'a/b.py': 'from .. import c\nfrom ..d import e\nfrom . import f',
        'a/f.py': '',
        'c.py': '',
        'd.py': '',
      },
      ['a/__init__.py', 'a/b.py', 'a/f.py', 'c.py', 'd.py'],
    ],
    ['import numpy, os', { 'a.py': '' }, []],
    [
      'subprocess.run([python, "tools/run.py"])',
      { 'tools/run.py': 'import helper', 'tools/helper.py': '', 'helper.py': '' },
      ['helper.py', 'tools/helper.py', 'tools/run.py'],
    ],
  ])('are what it imports: %j', async (text, others, expected) => {
    expect(await reached({ 'train.py': text, ...others })).toEqual(expected);
  });

  it('of a notebook are what its cells import, its harmless commands left out', async () => {
    const files = { has: (path: string) => path === 'a.py', list: () => ['a.py'] };
    const of = async (code: string) =>
      await pythonReach('x.ipynb', ['.'], { ...files, read: async (path) => (path === 'a.py' ? '' : code) });
    const harmless = '%matplotlib inline\n%load_ext autoreload\n!pip install x\n%%time\nimport a';
    expect(await of(harmless)).toEqual({ files: ['a.py', 'x.ipynb'] });
    expect(await of('%time import a')).toEqual({ files: ['a.py', 'x.ipynb'] });
    for (const code of ['%run other.py', '!python other.py', '%%bash\nls'])
      expect(await of(code)).toMatchObject({ whole: expect.stringMatching(/^x\.ipynb has the command [%!]/) });
  });
});
