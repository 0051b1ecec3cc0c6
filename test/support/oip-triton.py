# Triton's own clients, unmodified, against a server of ours: what each call gives is held against numpy.
# Usage: oip-triton.py URL. Prints "ok N", the number of checks.

import asyncio
import sys

import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as aio
from client_checks import check, tell_checks
from triton_tensors import TENSORS, as_sent, fails
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

URL = sys.argv[1].removeprefix("http://")
# Its JSON has neither.
NOT_IN_JSON = {"FP16"}


def same(got, sent, datatype):
    if datatype == "BYTES":
        got = np.array([[one.decode() if isinstance(one, bytes) else one for one in row] for row in got], object)
        return got.tolist() == sent.tolist()
    return got.dtype == sent.dtype and np.array_equal(got, sent, equal_nan=got.dtype.kind == "f")


def input_of(datatype, array, binary):
    tensor = http.InferInput(datatype.lower(), list(array.shape), datatype)
    tensor.set_data_from_numpy(as_sent(array), binary_data=binary)
    return tensor


def looks():
    with http.InferenceServerClient(URL) as client:
        check(client.is_server_live() and client.is_server_ready(), "live and ready")
        check(client.is_model_ready("types") and client.is_model_ready("types", "1"), "types is ready")
        check(not client.is_model_ready("nothing"), "nothing is not ready")
        server = client.get_server_metadata()
        check(server["name"] == "headrace" and "binary_tensor_data" in server["extensions"], server)
        metadata = client.get_model_metadata("types")
        check(metadata["versions"] == ["1"], metadata)
        check({one["datatype"] for one in metadata["inputs"]} == set(TENSORS), metadata)
        check(all(one["shape"] == [-1, 3] for one in metadata["inputs"]), metadata)
        config = client.get_model_config("types")
        check(config["max_batch_size"] == 0 and len(config["input"]) == len(TENSORS), config)
        fails(lambda: client.get_model_metadata("nothing"), "Request for unknown model: 'nothing'", "404")
        fails(lambda: client.get_model_metadata("types", "9"), "version 9 is not found", "404")


def infers():
    with http.InferenceServerClient(URL) as client:
        for ways in ((True, True), (False, False), (True, False), (False, True)):
            sends_binary, gets_binary = ways
            inputs = [
                input_of(datatype, array, sends_binary or datatype in NOT_IN_JSON)
                for datatype, array in TENSORS.items()
            ]
            outputs = [
                http.InferRequestedOutput(f"{datatype.lower()}_out", binary_data=gets_binary) for datatype in TENSORS
            ]
            for version in ("", "1", "stable"):
                result = client.infer("types", inputs, version, outputs=outputs, request_id="r1")
                answer = result.get_response()
                check(answer["id"] == "r1" and answer["model_version"] == "1", answer)
                for datatype, array in TENSORS.items():
                    got = result.as_numpy(f"{datatype.lower()}_out")
                    check(same(got, array, datatype), f"{datatype} {ways}: {got}")
        inputs = [input_of(datatype, array, True) for datatype, array in TENSORS.items()]
        # Naming none, it asks for all of them as binary data.
        result = client.infer("types", inputs)
        check(len(result.get_response()["outputs"]) == len(TENSORS), "all outputs")
        check(same(result.as_numpy("fp64_out"), TENSORS["FP64"], "FP64"), "fp64")
        big = np.arange(250_000, dtype=np.float32).reshape(250, 1000)
        for packing in (None, "gzip", "deflate"):
            tensor = http.InferInput("x", list(big.shape), "FP32")
            tensor.set_data_from_numpy(big)
            result = client.infer(
                "wide",
                [tensor],
                request_compression_algorithm=packing,
                response_compression_algorithm=packing,
            )
            check(np.array_equal(result.as_numpy("x_out"), big), f"wide {packing}")
        pending = [client.async_infer("types", inputs) for _ in range(20)]
        check(all(same(one.get_result().as_numpy("int64_out"), TENSORS["INT64"], "INT64") for one in pending), "async")


def refuses():
    with http.InferenceServerClient(URL) as client:
        array = np.zeros((1, 3), np.float32)

        def wide(shape, datatype="FP32", name="x"):
            tensor = http.InferInput(name, shape, datatype)
            tensor.set_data_from_numpy(np.zeros(shape, triton_to_np_dtype(datatype)))
            return [tensor]

        fails(lambda: client.infer("nothing", wide([1, 3])), "Request for unknown model", "404")
        fails(lambda: client.infer("wide", wide([1, 3])), "shape [1, 3]", "400")
        fails(lambda: client.infer("wide", wide([1, 1000], "FP64")), "float64", "400")
        fails(lambda: client.infer("wide", wide([1, 1000], name="y")), '"x" is missing', "400")
        fails(
            lambda: client.infer("wide", wide([1, 1000]), outputs=[http.InferRequestedOutput("nope")]),
            "nope",
            "400",
        )
        check(client.infer("wide", wide([1, 1000]), priority=2, timeout=900_000) is not None, "priority, timeout")
        # Nothing is done in a microsecond.
        fails(lambda: client.infer("wide", wide([1, 1000]), timeout=1), "deadline")
        check(array is not None, "done")


def repository():
    with http.InferenceServerClient(URL) as client:
        index = {one["name"]: one["state"] for one in client.get_model_repository_index()}
        check(index["types"] == "READY" and index["checkout"] == "READY", index)
        client.unload_model("wide")
        check(not client.is_model_ready("wide"), "wide is unloaded")
        states = {one["name"]: (one["state"], one["reason"]) for one in client.get_model_repository_index()}
        check(states["wide"] == ("UNAVAILABLE", "unloaded"), states)
        client.load_model("wide")
        check(client.is_model_ready("wide"), "wide is loaded")
        fails(lambda: client.load_model("nothing"), "Request for unknown model", "404")
        fails(lambda: client.unload_model("checkout"), "endpoint", "400")
        stats = client.get_inference_statistics("types")["model_stats"][0]
        check(stats["inference_stats"]["success"]["count"] >= 30 and stats["inference_count"] >= 30, stats)
        queue = stats["inference_stats"]["queue"]
        check(queue["count"] >= 30 and queue["ns"] > 0, stats)
        check(len(client.get_inference_statistics()["model_stats"]) >= 3, "all statistics")


def endpoint():
    with http.InferenceServerClient(URL) as client:
        names = {one["name"]: one for one in client.get_model_metadata("checkout")["inputs"]}
        check(names["customer"]["datatype"] == "BYTES" and names["amount"]["datatype"] == "FP64", names)
        customers = http.InferInput("customer", [2], "BYTES")
        customers.set_data_from_numpy(np.array([b"ada", b"bob"], object))
        amounts = http.InferInput("amount", [2], "FP64")
        amounts.set_data_from_numpy(np.array([12.0, np.nan]))
        result = client.infer("checkout", [customers, amounts])
        check(result.as_numpy("probability").tolist() == [0.25, 0.25], result.get_response())
        check(result.get_response()["model_version"] == "1", result.get_response())
        outputs = [http.InferRequestedOutput("prediction_id"), http.InferRequestedOutput("probability")]
        result = client.infer("checkout", [customers], "1", outputs=outputs)
        check(len(set(result.as_numpy("prediction_id").tolist())) == 2, "prediction ids")


async def asyncio_client():
    async with aio.InferenceServerClient(URL) as client:
        check(await client.is_server_ready() and await client.is_model_ready("types"), "aio ready")
        check((await client.get_model_metadata("wide"))["inputs"][0]["shape"] == [-1, 1000], "aio metadata")
        inputs = [input_of(datatype, array, True) for datatype, array in TENSORS.items()]
        results = await asyncio.gather(*(client.infer("types", inputs) for _ in range(20)))
        for result in results:
            for datatype, array in TENSORS.items():
                check(same(result.as_numpy(f"{datatype.lower()}_out"), array, datatype), f"aio {datatype}")
        plain = [input_of(datatype, array, datatype in NOT_IN_JSON) for datatype, array in TENSORS.items()]
        outputs = [http.InferRequestedOutput("int64_out", binary_data=False)]
        result = await client.infer("types", plain, outputs=outputs)
        check(same(result.as_numpy("int64_out"), TENSORS["INT64"], "INT64"), "aio json")
        try:
            await client.infer("nothing", inputs)
            raise AssertionError("aio: nothing failed")
        except InferenceServerException as error:
            check("Request for unknown model" in str(error), str(error))


looks()
infers()
refuses()
repository()
endpoint()
asyncio.run(asyncio_client())
tell_checks()
