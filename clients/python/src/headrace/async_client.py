"""The client, for an event loop: each method is awaited."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import httpx
import pyarrow as pa

from . import _make_training_set as sets
from ._async_driver import AsyncDriver
from ._predict import predict
from ._push import push, record_outcomes
from ._read_features import Asked, read_features
from ._settings import Settings
from .results import OutcomesResult, PushResult
from .training_set import TrainingSet

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

# Those that a checker without stubs takes for Any come first: of several that fit it takes the last.
RowsT = TypeVar("RowsT", "pd.DataFrame", pa.Table, "pl.DataFrame", list[dict[str, Any]])


class AsyncClient:
    """A Headrace server.

    ``url``: such as ``"http://127.0.0.1:8080"``. ``key``: an API key (``hr_…``) or a token, where the server wants one.
    ``timeout``: seconds for one request, its retries included; the server is told (``X-Request-Timeout-Ms``). ``retries``: how often a
    request is sent again that may be. ``verify``: an ``ssl.SSLContext`` for certificates of your own.

    Use it in one event loop, as ``async with AsyncClient(…) as client``, or call ``close()``.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 4,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        self._settings = Settings(url, key, timeout, retries, verify)
        self._context = self._settings.context
        self._driver = AsyncDriver(httpx.AsyncClient(**self._settings.http_options()), self._settings.url)

    async def training_set(
        self,
        service: str,
        spine: pd.DataFrame | pl.DataFrame | pa.Table | pa.RecordBatchReader | str | os.PathLike[str],
        *,
        timestamp: str,
        labels: Sequence[str] = (),
        boundary: Literal["at", "before"] = "at",
        name: str | None = None,
        progress: bool = True,
    ) -> TrainingSet:
        """A training set: the spine's rows with each feature as it was known at the row's time.

        ``spine``: a pandas or polars DataFrame, a pyarrow Table or RecordBatchReader, the path of a Parquet or CSV file here, or an
        ``s3://`` address that the server can read. It has the service's key columns, the columns that on-demand views take, ``timestamp``
        and ``labels``. ``boundary``: whether what happened at the very time counts (``"at"``) or not (``"before"``). ``name``: to find it by.
        ``progress``: False shows nothing.

        Waits until it is made, however long that takes, and fetches it. Interrupted (Ctrl-C, a cancelled task) it cancels the job at the server.
        Raises HeadraceError: ``HR_SPINE`` where the spine lacks a column, ``HR_UNKNOWN_SERVICE``, …
        """
        asked = sets.AskedSet(service, timestamp, labels, boundary, name)
        return await self._driver.run(sets.make_training_set(self._context, asked, spine, progress))

    async def get_training_set(self, id: str, *, progress: bool = True) -> TrainingSet:
        """A training set that was made before, by its id or name. Raises HeadraceError: ``HR_UNKNOWN_TRAINING_SET``, …"""
        return await self._driver.run(sets.get_training_set(self._context, id, progress))

    async def list_training_sets(self) -> list[dict[str, Any]]:
        """Records of all training sets, newest first: what ``headrace training-set list --json`` prints."""
        return await self._driver.run(sets.list_training_sets(self._context))

    async def features(self, service: str, rows: RowsT, *, statuses: bool = False, event_times: bool = False) -> RowsT:
        """The service's features of each row, as they are now, in the form that the rows came in (with a DataFrame's index).

        ``rows``: keys and request columns: a DataFrame, an Arrow Table, a list of dicts. ``statuses`` adds, behind
        the features, a column ``FEATURE__status`` of each (``PRESENT``, ``NULL_VALUE``, ``NOT_FOUND``, ``OUTSIDE_MAX_AGE``, ``INVALID``),
        ``event_times`` a column ``FEATURE__event_time``: when the newest row behind it happened (UTC). Sent in batches; a failed batch fails the call.
        Raises HeadraceError: ``HR_INVALID`` names the rows and columns that are wrong.
        """
        asked = Asked(service, statuses, event_times)
        return cast(RowsT, await self._driver.run(read_features(self._context, asked, rows)))

    async def predict(self, endpoint: str, rows: RowsT) -> RowsT:
        """A prediction for each row, in the form that the rows came in: the model's outputs, ``prediction_id``, ``version``, ``variant``.

        Each is logged, so a batch is asked for again only where the server did not begin with it. Raises HeadraceError, whose
        ``rows_done`` were predicted before.
        """
        return cast(RowsT, await self._driver.run(predict(self._context, endpoint, rows)))

    async def push(
        self,
        source: str,
        rows: pd.DataFrame | pl.DataFrame | pa.Table | Sequence[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
    ) -> PushResult:
        """Events into a source; when it returns they are durable, and reads see them, but for those that the source's rules set apart.

        Sent in batches, each under an Idempotency-Key of its own, so what is sent again counts once. With an ``idempotency_key``
        (up to 200 visible characters, of at most a day ago) that holds over calls, too: push the same rows again under it after a crash.
        Raises HeadraceError, whose ``rows_done`` were accepted.
        """
        return await self._driver.run(push(self._context, source, rows, idempotency_key))

    async def outcomes(
        self, endpoint: str, rows: pd.DataFrame | pl.DataFrame | pa.Table | Sequence[Mapping[str, Any]]
    ) -> OutcomesResult:
        """What became of predictions: columns ``prediction_id``, ``value`` (a number, true or false, text; null takes an outcome back)
        and, if you like, ``observed_at``. Sent again it changes nothing. Raises HeadraceError, whose ``rows_done`` were accepted.
        """
        return await self._driver.run(record_outcomes(self._context, endpoint, rows))

    async def close(self) -> None:
        """Closes the connections."""
        await self._driver.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return self._settings.describe("AsyncClient")
