# Tensors of every type that Triton's clients know, and what its calls fail with.

import numpy as np
from client_checks import check
from tritonclient.utils import InferenceServerException

TENSORS = {
    "BOOL": np.array([[True, False, True]]),
    "UINT8": np.array([[0, 7, 255]], np.uint8),
    "UINT16": np.array([[0, 7, 65535]], np.uint16),
    "UINT32": np.array([[0, 7, 4294967295]], np.uint32),
    "UINT64": np.array([[0, 9007199254740993, 18446744073709551615]], np.uint64),
    "INT8": np.array([[-128, 0, 127]], np.int8),
    "INT16": np.array([[-32768, 0, 32767]], np.int16),
    "INT32": np.array([[-2147483648, 0, 2147483647]], np.int32),
    "INT64": np.array([[-9223372036854775808, 9007199254740993, 9223372036854775807]], np.int64),
    "FP16": np.array([[0.5, -65504, np.nan]], np.float16),
    "FP32": np.array([[0.1, -3.4e38, np.inf]], np.float32),
    "FP64": np.array([[0.1, np.nan, -np.inf]], np.float64),
    "BYTES": np.array([["", "ü", "a" * 300]], object),
}


def as_sent(array):
    return np.char.encode(array.astype(str)).astype(object) if array.dtype == object else array


def fails(call, part, status=None):
    try:
        call()
    except InferenceServerException as error:
        check(part in str(error), f"{part!r} is not in {error}")
        if status is not None:
            check(error.status() == status, f"status {error.status()}, expected {status}")
        return
    raise AssertionError(f"nothing failed with {part!r}")
