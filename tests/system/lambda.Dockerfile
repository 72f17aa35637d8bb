# What moto runs Lambda functions in: a system with the certificates and nothing of the worker's in use.
ARG BASE
FROM ${BASE}
USER root
COPY lambda_runtime.py /lambda_runtime.py
ENTRYPOINT ["python3", "/lambda_runtime.py"]
