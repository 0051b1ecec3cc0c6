# Triton's own gRPC clients, unmodified, against a server of ours: what each call gives is held against numpy.
# Usage: grpc-triton.py HOST:PORT. Prints "ok N", the number of checks.

import asyncio
import queue
import sys

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as aio
from client_checks import check, tell_checks
from triton_tensors import TENSORS, as_sent
from triton_tensors import fails as fails_with
from tritonclient.grpc import model_config_pb2, service_pb2
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

ADDRESS = sys.argv[1]


def fails(call, part, status):
    fails_with(call, part, f"StatusCode.{status}")


def same(got, sent, datatype):
    if datatype == "BYTES":
        return [[one.decode() for one in row] for row in got] == sent.tolist()
    return got.dtype == sent.dtype and np.array_equal(got, sent, equal_nan=got.dtype.kind == "f")


def input_of(datatype, array, module=triton):
    tensor = module.InferInput(datatype.lower(), list(array.shape), datatype)
    tensor.set_data_from_numpy(as_sent(array))
    return tensor


def all_inputs(module=triton):
    return [input_of(datatype, array, module) for datatype, array in TENSORS.items()]


def wide(shape, datatype="FP32", name="x"):
    tensor = triton.InferInput(name, shape, datatype)
    tensor.set_data_from_numpy(np.zeros(shape, triton_to_np_dtype(datatype)))
    return [tensor]


def looks():
    with triton.InferenceServerClient(ADDRESS) as client:
        check(client.is_server_live() and client.is_server_ready(), "live and ready")
        check(client.is_model_ready("types") and client.is_model_ready("types", "1"), "types is ready")
        check(not client.is_model_ready("nothing"), "nothing is not ready")
        server = client.get_server_metadata()
        check(server.name == "headrace" and "statistics" in server.extensions, server)
        metadata = client.get_model_metadata("types")
        check(list(metadata.versions) == ["1"], metadata)
        check({one.datatype for one in metadata.inputs} == set(TENSORS), metadata)
        check(all(list(one.shape) == [-1, 3] for one in metadata.inputs), metadata)
        config = client.get_model_config("types").config
        check(config.max_batch_size == 0 and len(config.input) == len(TENSORS), config)
        kinds = {one.name: model_config_pb2.DataType.Name(one.data_type) for one in config.input}
        check(kinds["bytes"] == "TYPE_STRING" and kinds["fp16"] == "TYPE_FP16", kinds)
        check(config.backend == "onnxruntime" and list(config.output[0].dims) == [-1, 3], config)
        fails(lambda: client.get_model_metadata("nothing"), "Request for unknown model: 'nothing'", "NOT_FOUND")
        fails(lambda: client.get_model_metadata("types", "9"), "version 9 is not found", "NOT_FOUND")
        fails(lambda: client.get_system_shared_memory_status(), "there is no method", "UNIMPLEMENTED")


def infers():
    with triton.InferenceServerClient(ADDRESS) as client:
        outputs = [triton.InferRequestedOutput(f"{datatype.lower()}_out") for datatype in TENSORS]
        for packing in (None, "gzip", "deflate"):
            for version in ("", "1", "stable"):
                result = client.infer(
                    "types",
                    all_inputs(),
                    version,
                    outputs=outputs,
                    request_id="r1",
                    compression_algorithm=packing,
                )
                answer = result.get_response()
                check(answer.id == "r1" and answer.model_version == "1", answer)
                for datatype, array in TENSORS.items():
                    got = result.as_numpy(f"{datatype.lower()}_out")
                    check(same(got, array, datatype), f"{datatype}: {got}")
        check(len(client.infer("types", all_inputs()).get_response().outputs) == len(TENSORS), "all outputs")
        big = np.arange(900_000, dtype=np.float32).reshape(900, 1000)
        tensor = triton.InferInput("x", list(big.shape), "FP32")
        tensor.set_data_from_numpy(big)
        check(np.array_equal(client.infer("wide", [tensor]).as_numpy("x_out"), big), "wide")
        answers = queue.Queue()
        for _ in range(20):
            client.async_infer("types", all_inputs(), lambda result, error: answers.put((result, error)))
        for _ in range(20):
            result, error = answers.get(timeout=10)
            check(error is None and same(result.as_numpy("int64_out"), TENSORS["INT64"], "INT64"), f"async {error}")


def contents_of(datatype, array):
    contents = service_pb2.InferTensorContents()
    member = {
        "BOOL": "bool_contents",
        "INT64": "int64_contents",
        "UINT64": "uint64_contents",
        "FP32": "fp32_contents",
        "FP64": "fp64_contents",
        "BYTES": "bytes_contents",
    }.get(datatype, "uint_contents" if datatype.startswith("U") else "int_contents")
    getattr(contents, member).extend(as_sent(array).flatten().tolist())
    return contents


def infers_by_contents():
    """As clients do that know the protocol alone: typed contents there and back."""
    with triton.InferenceServerClient(ADDRESS) as client:
        stub = client._client_stub
        typed = {datatype: array for datatype, array in TENSORS.items() if datatype != "FP16"}
        zeros = np.zeros((1, 3), np.float16)

        def request(tensors, asked):
            message = service_pb2.ModelInferRequest(model_name="types", id="c")
            for datatype, array in tensors.items():
                tensor = message.inputs.add(name=datatype.lower(), datatype=datatype, shape=list(array.shape))
                tensor.contents.CopyFrom(contents_of(datatype, array))
            for datatype in asked:
                message.outputs.add(name=f"{datatype.lower()}_out")
            return message

        try:
            stub.ModelInfer(request(typed, typed))
            raise AssertionError("nothing was missing")
        except Exception as error:
            check("fp16" in error.details(), error)
        # All inputs raw, the answer is raw; some of the outputs alone may go as contents.
        message = request({}, [])
        for datatype, array in TENSORS.items():
            message.inputs.add(name=datatype.lower(), datatype=datatype, shape=list(array.shape))
        message.raw_input_contents.extend(one._get_content() for one in all_inputs())
        raw = stub.ModelInfer(message)
        check(len(raw.raw_output_contents) == len(TENSORS), raw)
        check(zeros.shape == (1, 3), "done")
        message = service_pb2.ModelInferRequest(model_name="wide")
        tensor = message.inputs.add(name="x", datatype="FP32", shape=[2, 1000])
        tensor.contents.fp32_contents.extend([0.5] * 2000)
        answer = stub.ModelInfer(message)
        check(len(answer.raw_output_contents) == 0, "contents")
        check(list(answer.outputs[0].contents.fp32_contents) == [0.5] * 2000, "contents")
        for wrong, part in (
            (lambda one: one.contents.fp32_contents.append(1), "more than the 2000 elements"),
            (lambda one: one.contents.fp32_contents.pop(), "1999 of the 2000 elements"),
            (lambda one: one.contents.int_contents.append(1), "fp32_contents"),
            (lambda one: one.shape.append(10**15), "more elements than a message"),
            (lambda one: one.shape.append(-1), "from 0 on"),
            (lambda one: setattr(one, "datatype", "FP33"), "FP33"),
        ):
            bad = service_pb2.ModelInferRequest()
            bad.CopyFrom(message)
            wrong(bad.inputs[0])
            try:
                stub.ModelInfer(bad)
                raise AssertionError(f"nothing failed with {part}")
            except Exception as error:
                check(part in error.details() and error.code().name == "INVALID_ARGUMENT", error)


def refuses():
    with triton.InferenceServerClient(ADDRESS) as client:
        fails(lambda: client.infer("nothing", wide([1, 3])), "Request for unknown model", "NOT_FOUND")
        fails(lambda: client.infer("wide", wide([1, 3])), "shape [1, 3]", "INVALID_ARGUMENT")
        fails(lambda: client.infer("wide", wide([1, 1000], "FP64")), "float64", "INVALID_ARGUMENT")
        fails(lambda: client.infer("wide", wide([1, 1000], name="y")), '"x" is missing', "INVALID_ARGUMENT")
        nope = [triton.InferRequestedOutput("nope")]
        fails(lambda: client.infer("wide", wide([1, 1000]), outputs=nope), "nope", "INVALID_ARGUMENT")
        fails(lambda: client.infer("wide", wide([1, 1000]), sequence_id=7), "sequences", "INVALID_ARGUMENT")
        check(client.infer("wide", wide([1, 1000]), priority=2, timeout=900_000) is not None, "priority, timeout")
        # Nothing is done in a microsecond.
        fails(lambda: client.infer("wide", wide([1, 1000]), timeout=1), "deadline", "DEADLINE_EXCEEDED")
        fails(lambda: client.infer("wide", wide([2000, 1000])), "server.bodyLimit", "RESOURCE_EXHAUSTED")


def streams():
    with triton.InferenceServerClient(ADDRESS) as client:
        answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        for number in range(60):
            name = "nothing" if number % 10 == 9 else "types"
            client.async_stream_infer(name, all_inputs(), request_id=str(number))
        for number in range(60):
            result, error = answers.get(timeout=10)
            if number % 10 == 9:
                check("Request for unknown model" in str(error), error)
                continue
            # Each in its turn, whatever became of the one before.
            check(error is None and result.get_response().id == str(number), f"{number}: {error}")
            check(same(result.as_numpy("int64_out"), TENSORS["INT64"], "INT64"), number)
        client.async_stream_infer("types", all_inputs(), enable_empty_final_response=True)
        result, error = answers.get(timeout=10)
        final = result.get_response().parameters["triton_final_response"].bool_param
        check(error is None and final, "final response")
        client.stop_stream()


def repository():
    with triton.InferenceServerClient(ADDRESS) as client:
        index = {one.name: one.state for one in client.get_model_repository_index().models}
        check(index["types"] == "READY" and index["checkout"] == "READY", index)
        client.unload_model("wide")
        check(not client.is_model_ready("wide"), "wide is unloaded")
        client.load_model("wide")
        check(client.is_model_ready("wide"), "wide is loaded")
        fails(lambda: client.load_model("nothing"), "Request for unknown model", "NOT_FOUND")
        fails(lambda: client.load_model("wide", config="{}"), "as it was registered", "INVALID_ARGUMENT")
        fails(lambda: client.unload_model("checkout"), "endpoint", "ABORTED")
        stats = client.get_inference_statistics("types").model_stats[0]
        check(stats.inference_stats.success.count >= 60 and stats.inference_count >= 60, stats)
        check(stats.inference_stats.success.ns > 0 and stats.last_inference > 1_600_000_000_000, stats)
        check(stats.inference_stats.queue.count >= 60 and stats.inference_stats.queue.ns > 0, stats)
        check(len(client.get_inference_statistics().model_stats) >= 3, "all statistics")


def endpoint():
    with triton.InferenceServerClient(ADDRESS) as client:
        names = {one.name: one for one in client.get_model_metadata("checkout").inputs}
        check(names["customer"].datatype == "BYTES" and names["amount"].datatype == "FP64", names)
        customers = triton.InferInput("customer", [2], "BYTES")
        customers.set_data_from_numpy(np.array([b"ada", b"bob"], object))
        amounts = triton.InferInput("amount", [2], "FP64")
        amounts.set_data_from_numpy(np.array([12.0, np.nan]))
        result = client.infer("checkout", [customers, amounts])
        check(result.as_numpy("probability").tolist() == [0.25, 0.25], result.get_response())
        outputs = [triton.InferRequestedOutput("prediction_id"), triton.InferRequestedOutput("probability")]
        result = client.infer("checkout", [customers], "1", outputs=outputs)
        check(len(set(result.as_numpy("prediction_id").tolist())) == 2, "prediction ids")


async def asyncio_client():
    async with aio.InferenceServerClient(ADDRESS) as client:
        check(await client.is_server_ready() and await client.is_model_ready("types"), "aio ready")
        check(list((await client.get_model_metadata("wide")).inputs[0].shape) == [-1, 1000], "aio metadata")
        results = await asyncio.gather(*(client.infer("types", all_inputs(aio)) for _ in range(20)))
        for result in results:
            for datatype, array in TENSORS.items():
                check(same(result.as_numpy(f"{datatype.lower()}_out"), array, datatype), f"aio {datatype}")
        try:
            await client.infer("nothing", all_inputs(aio))
            raise AssertionError("aio: nothing failed")
        except InferenceServerException as error:
            check("Request for unknown model" in str(error), str(error))

        async def requests():
            for number in range(10):
                yield {"model_name": "types", "inputs": all_inputs(aio), "request_id": str(number)}

        number = 0
        async for result, error in client.stream_infer(requests()):
            check(error is None and result.get_response().id == str(number), f"aio stream {number}: {error}")
            number += 1
        check(number == 10, f"aio stream: {number}")


def same_numbers():
    """The .proto of ours has the names, numbers and types of theirs."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    with open(sys.argv[2], "rb") as file:
        own = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in own.file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    theirs = {**service_pb2.DESCRIPTOR.message_types_by_name, **model_config_pb2.DESCRIPTOR.message_types_by_name}

    def compare(ours, other):
        for field in ours.fields:
            twin = other.fields_by_name[field.name]
            told = (field.full_name, field.number, field.type, field.is_repeated)
            check(told == (twin.full_name, twin.number, twin.type, twin.is_repeated), told)
        for nested in ours.nested_types:
            compare(nested, other.nested_types_by_name[nested.name])

    for file in own.file:
        if file.package != "inference":
            continue
        described = pool.FindFileByName(file.name)
        for name, message in described.message_types_by_name.items():
            compare(message, theirs[name])
        for name, enum in described.enum_types_by_name.items():
            twin = model_config_pb2.DESCRIPTOR.enum_types_by_name[name]
            check({v.name: v.number for v in enum.values} == {v.name: v.number for v in twin.values}, name)


for one in (looks, infers, infers_by_contents, refuses, streams, repository, endpoint, same_numbers):
    one()
asyncio.run(asyncio_client())
tell_checks()
