# grpcio's own health, reflection and status clients, unmodified, against a server of ours: the native API is called by what reflection
# tells of it, without a .proto file. Usage: grpc-python.py HOST:PORT. Prints "ok N", the number of checks.

import sys

import grpc
from client_checks import check, tell_checks
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

ADDRESS = sys.argv[1]
SERVICE = "headrace.v1.ServingService"
with grpc.insecure_channel(ADDRESS) as channel:
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    for name in ("", SERVICE, "inference.GRPCInferenceService"):
        check(health.Check(health_pb2.HealthCheckRequest(service=name)).status == serving, name)
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nothing"))
        raise AssertionError("nothing is healthy")
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.NOT_FOUND, error)
    watch = health.Watch(health_pb2.HealthCheckRequest(service=""))
    check(next(watch).status == serving, "watch")
    watch.cancel()
    unknown = health.Watch(health_pb2.HealthCheckRequest(service="nothing"))
    check(next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN, "watch of nothing")
    unknown.cancel()

    known = ProtoReflectionDescriptorDatabase(channel)
    services = set(known.get_services())
    check({SERVICE, "inference.GRPCInferenceService", "grpc.health.v1.Health"} <= services, services)
    pool = DescriptorPool(known)
    for name in services:
        check(len(pool.FindServiceByName(name).methods) > 0, name)
    service = pool.FindServiceByName(SERVICE)

    def call(name, **members):
        method = service.FindMethodByName(name)
        response = GetMessageClass(method.output_type)
        stub = channel.unary_unary(
            f"/{SERVICE}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return stub(GetMessageClass(method.input_type)(**members), timeout=5)

    row = {"columns": {"customer": {"string_value": "cid"}, "amount": {"double_value": 2.5}}}
    answer = call("Predict", endpoint="checkout", inputs=[row, row])
    check(answer.predictions[1].outputs["probability"].double_value == 0.25, answer)
    for layout in ("LAYOUT_ROWS", "LAYOUT_COLUMNS"):
        read = call("ReadFeatures", service="shop_features", rows=[row], layout=layout)
        check(len(read.rows) + len(read.columns) > 0, read)
    try:
        call("Predict", endpoint="checkout", inputs=[{"columns": {"customer": {"int64_value": 1}}}])
        raise AssertionError("a number is a customer")
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        details = {}
        for one in status.details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest):
                message = kind()
                if one.Unpack(message):
                    details[kind.__name__] = message
        check(details["ErrorInfo"].reason == "HR_INVALID" and details["ErrorInfo"].domain == "headrace", details)
        check(details["ErrorInfo"].metadata["request_id"] != "", details)
        check(details["BadRequest"].field_violations[0].field == "inputs[0].customer", details)
    try:
        call("Predict", endpoint="nothing", inputs=[row])
        raise AssertionError("nothing is an endpoint")
    except grpc.RpcError as error:
        check(error.code() == grpc.StatusCode.NOT_FOUND, error)
        check(dict(error.trailing_metadata())["headrace-code"] == "HR_UNKNOWN_ENDPOINT", error)

tell_checks()
