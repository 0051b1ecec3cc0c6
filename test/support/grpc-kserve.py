# KServe's gRPC client, unmodified, against a server of ours. Usage: grpc-kserve.py HOST:PORT. Prints "ok N", the number of checks.

import asyncio
import sys

import numpy as np
from client_checks import check, tell_checks
from kserve import InferenceGRPCClient, InferInput, InferRequest

ADDRESS = sys.argv[1]


async def main():
    async with InferenceGRPCClient(url=ADDRESS) as client:
        check(await client.is_server_live() and await client.is_server_ready(), "live and ready")
        check(await client.is_model_ready("wide"), "wide is ready")
        check(not await client.is_model_ready("nothing"), "nothing is not ready")
        sent = np.array([[0.5, np.nan, -7.25] + [1.0] * 997], np.float32)
        for binary in (True, False):
            tensor = InferInput("x", list(sent.shape), "FP32")
            tensor.set_data_from_numpy(sent, binary_data=binary)
            answer = await client.infer(InferRequest(model_name="wide", infer_inputs=[tensor], request_id="k1"))
            check(answer.id == "k1" and answer.model_name == "wide", answer.id)
            got = answer.outputs[0].as_numpy()
            check(got.dtype == sent.dtype and np.array_equal(got, sent, equal_nan=True), f"{binary}: {got}")
        texts = InferInput("customer", [1], "BYTES", data=["ada"])
        answer = await client.infer(InferRequest(model_name="checkout", infer_inputs=[texts]))
        check(answer.outputs[0].as_numpy().tolist() == [0.25], answer)
        try:
            await client.infer(InferRequest(model_name="nothing", infer_inputs=[texts]))
            raise AssertionError("nothing failed")
        except Exception as error:
            check("Request for unknown model" in str(error), str(error))


asyncio.run(main())
tell_checks()
