"""Headrace from Python.

>>> from headrace import Client
>>> client = Client("http://127.0.0.1:8080")
>>> training = client.training_set("delay_features", spine, timestamp="scheduled_at", labels=["late"])
>>> training.to_pandas()

``AsyncClient`` has the same methods, to be awaited. Errors are ``HeadraceError``; each has the server's ``code``.
"""

from ._version import VERSION as __version__
from .async_client import AsyncClient
from .client import Client
from .data_checks import BrokenRule, DataWarning
from .errors import (
    AuthenticationError,
    ConflictError,
    DeadlineError,
    ErrorDetail,
    ForbiddenError,
    HeadraceError,
    InvalidError,
    JobCancelledError,
    NotFoundError,
    OverloadedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from .results import OutcomesResult, PushDurability, PushedView, PushResult
from .training_set import TrainingSet

__all__ = [
    "AsyncClient",
    "AuthenticationError",
    "BrokenRule",
    "Client",
    "ConflictError",
    "DataWarning",
    "DeadlineError",
    "ErrorDetail",
    "ForbiddenError",
    "HeadraceError",
    "InvalidError",
    "JobCancelledError",
    "NotFoundError",
    "OutcomesResult",
    "OverloadedError",
    "PushResult",
    "PushDurability",
    "PushedView",
    "TooLargeError",
    "TrainingSet",
    "UnavailableError",
    "UnreachableError",
    "__version__",
]
