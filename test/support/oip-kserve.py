# KServe's REST client, unmodified, against a server of ours. Usage: oip-kserve.py URL. Prints "ok N", the number of checks.

import asyncio
import sys

import httpx
import numpy as np
from client_checks import check, tell_checks
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

URL = sys.argv[1]


async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    check(await client.is_server_live(URL) and await client.is_server_ready(URL), "live and ready")
    check(await client.is_model_ready(URL, "wide"), "wide is ready")
    sent = np.array([[0.5, np.nan, -7.25] + [1.0] * 997], np.float32)
    for binary in (True, False):
        tensor = InferInput("x", list(sent.shape), "FP32")
        tensor.set_data_from_numpy(sent, binary_data=binary)
        for outputs in (None, [RequestedOutput("x_out", parameters={"binary_data": binary})]):
            request = InferRequest(
                model_name="wide", infer_inputs=[tensor], request_id="k1", request_outputs=outputs
            )
            answer = await client.infer(URL, request, model_name="wide")
            check(answer.id == "k1" and answer.model_name == "wide", answer.id)
            got = answer.outputs[0].as_numpy()
            check(got.dtype == sent.dtype and np.array_equal(got, sent, equal_nan=True), f"{binary} {outputs}: {got}")
    texts = InferInput("customer", [1], "BYTES", data=["ada"])
    answer = await client.infer(URL, InferRequest("checkout", [texts]), model_name="checkout")
    check(answer.outputs[0].as_numpy().tolist() == [0.25], answer)
    try:
        await client.infer(URL, InferRequest("nothing", [texts]), model_name="nothing")
        raise AssertionError("nothing failed")
    except httpx.HTTPStatusError as error:
        check("Request for unknown model" in str(error) and error.response.status_code == 404, str(error))
    try:
        check(not await client.is_model_ready(URL, "nothing"), "nothing is not ready")
    except httpx.HTTPStatusError as error:
        check(error.response.status_code == 404, str(error))


asyncio.run(main())
tell_checks()
