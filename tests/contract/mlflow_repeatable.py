"""Prints the query fields that MLflow reads as lists, as JSON; runs in its environment."""

import json
import sys

from mlflow.protos import databricks_pb2
from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
from mlflow.protos.model_registry_pb2 import ModelRegistryService
from mlflow.protos.service_pb2 import MlflowService

fields = {
    field.name
    for service in (MlflowService, ModelRegistryService, MlflowArtifactsService)
    for method in service.DESCRIPTOR.methods
    for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints
    for field in method.input_type.fields
    if endpoint.method == "GET" and field.is_repeated
}
json.dump(sorted(fields), sys.stdout)
