"""The step itself: its input, read once, and its output, written as the process ends."""

from __future__ import annotations

import atexit
import builtins
import json
import os
import sys
import traceback
from numbers import Integral
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, SupportsFloat, Tuple, Union, overload

from ._given import Given, NotGiven
from ._plain import finite, plain
from ._tables import read_table, table_of

if TYPE_CHECKING:
    from typing import Literal

    import pandas
    import polars
    import pyarrow

INPUT = "HEADRACE_STEP_INPUT"
OUTPUT = "HEADRACE_STEP_OUTPUT"
RESULT = "result.json"


Need = Union[str, Mapping[str, Any]]
"""A need by its name; or a result itself, such as one of those that a `foreach` gives."""


class NotAStep(RuntimeError):
    """This process is no step: nobody has set HEADRACE_STEP_INPUT and HEADRACE_STEP_OUTPUT."""


class Card(NamedTuple):
    """A page that a step left."""

    name: str
    path: Path


class Step:
    """What a step is given and what it gives.

    `variables` stands for the environment; left out, it is this process's.
    """

    def __init__(self, variables: Optional[Mapping[str, str]] = None) -> None:
        self._variables = os.environ if variables is None else variables
        self._input: Optional[Mapping[str, Any]] = None
        self._metrics: Dict[str, float] = {}
        self._cards: List[str] = []
        self._result: Any = None
        self._has_result = False
        self._has_files = False
        self._writer: Optional[int] = None
        self._own_output: Optional[Path] = None

    def by_hand(
        self,
        *,
        params: Optional[Mapping[str, Any]] = None,
        item: Any = None,
        items: Optional[Mapping[str, Any]] = None,
        index: int = 0,
        args: Optional[Mapping[str, Any]] = None,
        needs: Optional[Mapping[str, Any]] = None,
        output: Union[str, "os.PathLike[str]"] = "step-output",
    ) -> None:
        """What the step is given where nobody else gives it: in a notebook at the desk, or a script run by hand.

        In a run of Headrace it does nothing. A need may be the path of a table, and what the step gives goes to `output`.
        """
        if self._is_step():
            return
        self._input = {
            "run": "by-hand", "pipeline": "", "step": "", "attempt": 1, "index": index, "item": item, "params": params or {},
            "items": items or {}, "args": args or {}, "needs": needs or {},
        }
        self._own_output = Path(output)
        self._own_output.mkdir(parents=True, exist_ok=True)

    # What it is given.

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self._given("run"))

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return str(self._given("pipeline"))

    @property
    def name(self) -> str:
        """The step's name."""
        return str(self._given("step"))

    @property
    def params(self) -> Mapping[str, Any]:
        """The run's parameters, defaults filled in."""
        return Given(self._given("params"), "the run has no parameter")

    @property
    def item(self) -> Any:
        """This task's item of `foreach`; None without."""
        return self._given("item")

    @property
    def items(self) -> Mapping[str, Any]:
        """The item of each group around the step, by the group's name."""
        return Given(self._given("items"), "the step is in no group")

    @property
    def index(self) -> int:
        """The item's place, from 0; 0 without `foreach`. A cached step has it only with `index: true`; else raises `NotGiven`."""
        index = self._given("index")
        if index is None:
            raise NotGiven("a cached step is not given its index: put what it needs into its item, or write index: true")
        return int(index)

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return int(self._given("attempt"))

    @property
    def args(self) -> Mapping[str, Any]:
        """The arguments that the definition gives."""
        return Given(self._given("args"), "the step has no argument")

    @property
    def needs(self) -> Mapping[str, Any]:
        """The result of each needed step by its name there; of a `foreach` the list of them. Files have a `path`."""
        return Given(self._given("needs"), "the step has no need")

    def path(self, need: Need, file: Optional[str] = None) -> Path:
        """Where a file of a needed step lies, to be read: the one of that name, or its only one."""
        result, name = self._result_of(need)
        given = result.get("files") if isinstance(result, Mapping) else None
        files = given if isinstance(given, Mapping) else {}
        if file is None:
            if len(files) == 1:
                return Path(next(iter(files.values()))["path"])
            raise ValueError(f"{name} has {len(files)} files ({', '.join(files) or 'none'}): name one of them{_of_list(result)}")
        if file not in files:
            raise ValueError(f"{name} has no file {file!r}; it has {', '.join(files) or 'none'}{_of_list(result)}")
        return Path(files[file]["path"])

    @overload
    def table(self, need: Need, kind: Literal["pandas"], *, columns: Optional[Sequence[str]] = None) -> pandas.DataFrame: ...
    @overload
    def table(self, need: Need, kind: Literal["polars"], *, columns: Optional[Sequence[str]] = None) -> polars.DataFrame: ...
    @overload
    def table(self, need: Need, kind: Literal["arrow"], *, columns: Optional[Sequence[str]] = None) -> pyarrow.Table: ...
    @overload
    def table(self, need: Need, kind: None = None, *, columns: Optional[Sequence[str]] = None) -> Any: ...
    def table(self, need: Need, kind: Optional[str] = None, *, columns: Optional[Sequence[str]] = None) -> Any:
        """The rows of a needed step: a training set, or a result with a Parquet or CSV file.

        By `kind` a DataFrame of pandas or polars or a Table of Arrow; left out, the first of them that is installed.
        Raises ImportError without any, ValueError for a need without a table.
        """
        result, name = self._result_of(need)
        return read_table(table_of(result, name, _of_list(result)), kind, columns)

    # What it gives.

    def file(self, name: str) -> Path:
        """Where to write a file of the step, folders made. It is stored by content as the step ends."""
        pure = PurePosixPath(name.replace(os.sep, "/"))
        if name == "" or pure.is_absolute() or ".." in pure.parts or str(pure) in (".", RESULT):
            raise ValueError(f"a file of a step has a relative name without '..', other than {RESULT}; got {name!r}")
        self._check_object("files")
        path = self._output() / pure
        path.parent.mkdir(parents=True, exist_ok=True)
        self._has_files = True
        return path

    def metric(self, name: str, value: SupportsFloat) -> None:
        """Keeps a number among the result's `metrics`; the last of a name counts.

        Those of numpy are numbers, and so are arrays and tensors of one. Raises ValueError for NaN, TypeError for what is none.
        """
        if type(value).__name__ in ("bool", "bool_") or not hasattr(value, "__float__"):
            raise TypeError(f"metric {name!r} is a number, got {type(value).__name__}")
        self._check_object("metrics")
        try:
            number = finite(float(value), f"metric {name!r}")
        except TypeError as error:
            # Arrays of several numbers have the method all the same.
            raise TypeError(f"metric {name!r} is one number, got {type(value).__name__}: {error}") from None
        self._metrics[str(name)] = int(value) if isinstance(value, Integral) else number
        self._will_write()

    def card(self, content: Any, name: str = "card") -> Card:
        """Leaves a page for people: HTML or Markdown, a figure of matplotlib, or whatever shows itself as HTML.

        A text that begins with `<` is HTML, any other Markdown. Names that came before get a number.
        """
        text, suffix = _page(content)
        free = name = name[: -len(suffix)] if name.endswith(suffix) else name
        while f"{free}{suffix}" in self._cards:
            free = f"{name}-{len(self._cards) + 1}"
        path = self.file(f"{free}{suffix}")
        path.write_text(text, encoding="utf-8")
        self._cards.append(f"{free}{suffix}")
        return Card(free, path)

    def result(self, value: Any) -> None:
        """What the step gives to those that need it: plain JSON data, an object where it leaves files, metrics or cards.

        Called again, the last counts. Raises ValueError for NaN, TypeError for what is no JSON.
        """
        made = plain(value, "result")
        if not isinstance(made, dict) and made is not None and (self._has_files or self._metrics):
            raise TypeError(f"the step has files or metrics, so its result is a dict; got {type(value).__name__}")
        if isinstance(made, dict) and "files" in made:
            raise ValueError('a result has no member "files": the step\'s files are named there')
        self._result = made
        self._has_result = True
        self._will_write()

    def write(self) -> None:
        """Writes the result now. Else it is written as the process ends."""
        made = self._result
        if self._metrics:
            own = {} if made is None else dict(made)
            given = own.get("metrics")
            own["metrics"] = {**(given if isinstance(given, dict) else {}), **self._metrics}
            made = own
        path = self._output() / RESULT
        # In the output folder each file is one of the step's, also one that is half written.
        path.write_text(json.dumps(made, allow_nan=False), encoding="utf-8")

    # How.

    def _is_step(self) -> bool:
        return bool(self._variables.get(INPUT))

    def _given(self, member: str) -> Any:
        if self._input is None:
            if not self._is_step():
                raise _nobody(INPUT)
            with open(self._variables[INPUT], encoding="utf-8") as file:
                self._input = json.load(file)
        defaults: Dict[str, Any] = {"items": {}, "args": {}, "params": {}, "needs": {}}
        return self._input.get(member, defaults.get(member))

    def _output(self) -> Path:
        path = self._own_output or self._variables.get(OUTPUT)
        if not path:
            raise _nobody(OUTPUT)
        return Path(path)

    def _result_of(self, need: Need) -> Tuple[Any, str]:
        """A need's result, and what it is called."""
        return (self.needs[need], f"need {need!r}") if isinstance(need, str) else (need, "the result")

    def _check_object(self, what: str) -> None:
        if self._has_result and self._result is not None and not isinstance(self._result, dict):
            kind = type(self._result).__name__
            raise TypeError(f"the result is a {kind}, and {what} are named in it: give step.result(...) a dict")

    def _will_write(self) -> None:
        # A process forked off this one has its own end, and no result.
        if self._writer != os.getpid():
            self._output()
            self._writer = os.getpid()
            atexit.register(self._write_at_end, os.getpid())
        # A notebook's process lives on after its last cell, and is killed should it take long to end.
        if _is_notebook():
            self.write()

    def _write_at_end(self, writer: int) -> None:
        if writer != os.getpid():
            return
        try:
            self.write()
        except Exception:
            # Python passes over what goes wrong here and ends with 0: the step would have succeeded, and given nothing.
            traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)


def _is_notebook() -> bool:
    shell = getattr(builtins, "get_ipython", None)
    return callable(shell) and hasattr(shell(), "kernel")


def _nobody(variable: str) -> NotAStep:
    return NotAStep(
        f"this process is no step of a Headrace run: {variable} is not set. Run it by `headrace run`, or say what it is given "
        "by hand: step.by_hand(params={...}, needs={...})"
    )


def _of_list(result: Any) -> str:
    """What to do with the results of a `foreach`, where one was expected."""
    if not isinstance(result, list):
        return ""
    return f". It is a list of {len(result)}, as a `foreach` gives: take each of them by itself"


def _page(content: Any) -> "tuple[str, str]":
    if isinstance(content, str):
        return content, ".html" if content.lstrip().startswith("<") else ".md"
    for method in ("_repr_html_", "to_html"):
        shows = getattr(content, method, None)
        page = shows() if callable(shows) else None
        # A figure of matplotlib has the method, and shows itself so only where it is interactive.
        if isinstance(page, str):
            return page, ".html"
    save = getattr(content, "savefig", None)
    if callable(save):
        from io import StringIO

        image = StringIO()
        save(image, format="svg")
        return image.getvalue()[image.getvalue().index("<svg") :], ".html"
    raise TypeError(f"a card is HTML, Markdown or a figure, got {type(content).__name__}")
