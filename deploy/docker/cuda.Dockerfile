# The image of Dockerfile with CUDA 13 beside it: `docker build -f deploy/docker/cuda.Dockerfile -t headrace-cuda:1 .`. docs/guides/gpu.md.
# What the driver brings (libcuda) is not in it: NVIDIA's container runtime puts it there.
ARG HEADRACE=headrace:1
ARG PYTHON=docker.io/library/python:3.12-slim-bookworm

FROM ${PYTHON} AS cuda
# ONNX Runtime's library for CUDA, of the version of the package for Node, and the libraries of NVIDIA that it loads.
RUN pip install --no-cache-dir --target /cuda "onnxruntime-gpu[cuda,cudnn]==1.30.0" \
  && mkdir /libraries \
  && find /cuda/nvidia -name 'lib*.so*' -exec cp -P {} /libraries/ \;

FROM ${HEADRACE}
COPY --from=cuda /libraries /opt/cuda
COPY --from=cuda /cuda/onnxruntime/capi/libonnxruntime_providers_shared.so /cuda/onnxruntime/capi/libonnxruntime_providers_cuda.so \
  /opt/headrace/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/
ENV LD_LIBRARY_PATH=/opt/cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
