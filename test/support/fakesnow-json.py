# fakesnow's server, answering in JSON as Snowflake does for drivers that read no Arrow: the Node SDK is one. It refuses the
# password "wrong", as fakesnow takes any.

import gzip
import importlib
import json
import sys
from base64 import b64decode

import uvicorn

server = importlib.import_module("fakesnow.server")


def rows_of(table):
    if table is None or table.num_columns == 0:
        return []
    columns = [column.to_pylist() for column in table.columns]
    return [[None if value is None else str(value) for value in row] for row in zip(*columns)]


class JsonResponse(server.JSONResponse):
    def __init__(self, content, *args, **more):
        data = content.get("data")
        if isinstance(data, dict) and data.get("queryResultFormat") == "arrow":
            encoded = b64decode(data.pop("rowsetBase64"))
            data["queryResultFormat"] = "json"
            data["rowset"] = json.loads(encoded) if encoded else []
            data["returned"] = len(data["rowset"])
        super().__init__(content, *args, **more)


server.to_sf = lambda table, rowtype: table
server.to_ipc = lambda table: json.dumps(rows_of(table)).encode()
server.JSONResponse = JsonResponse


async def login(request):
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    data = json.loads(body)["data"]
    if data.get("PASSWORD") == "wrong":
        refusal = {"data": {}, "code": "390100", "message": "Incorrect username or password was specified.", "success": False}
        return server.JSONResponse(refusal)
    return await original(request)


for route in server.app.routes:
    if getattr(route, "path", None) == "/session/v1/login-request":
        original = route.endpoint
        route.app = server.Route(route.path, login, methods=["POST"]).app

uvicorn.run(server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
