"""A stand-in for tensorflow_model_server, with TF Serving's own messages.

It watches a model's folder, loads the newest version beside the old one, answers its
warm-up requests, and then answers with it: over gRPC (PredictionService) and over REST.
The real server cannot be installed from the registries that the tests use.
"""

import base64
import concurrent.futures
import http.server
import json
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

WARMUP = "assets.extra/tf_serving_warmup_requests"


class Rejected(Exception):
    """A request that cannot be answered: a gRPC status and a sentence."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class Model:
    """One version, loaded."""

    def __init__(self, path: Path):
        self.version = int(path.name)
        self.loaded = tf.saved_model.load(str(path))
        for record in tf.data.TFRecordDataset(str(path / WARMUP)):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            request = log.predict_log.request
            given = {n: tf.make_ndarray(v) for n, v in request.inputs.items()}
            self.answer(request.model_spec.signature_name, given)

    def answer(self, signature: str, given: dict) -> dict[str, np.ndarray]:
        """Outputs of a signature by name."""
        name = signature or "serving_default"
        if name not in self.loaded.signatures:
            raise Rejected(grpc.StatusCode.INVALID_ARGUMENT, f"no signature {name!r}")
        run = self.loaded.signatures[name]
        specs = run.structured_input_signature[1]
        if set(specs) != set(given):
            raise Rejected(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"{name} takes {sorted(specs)}; got {sorted(given)}",
            )
        try:
            tensors = {n: tf.constant(v, specs[n].dtype) for n, v in given.items()}
            for tensor, spec in ((tensors[n], specs[n]) for n in specs):
                if not spec.shape.is_compatible_with(tensor.shape):
                    raise ValueError(f"{spec.name} is {spec.shape}; got {tensor.shape}")
            return {name: value.numpy() for name, value in run(**tensors).items()}
        except (tf.errors.OpError, ValueError, TypeError) as error:
            text = str(error)
            raise Rejected(grpc.StatusCode.INVALID_ARGUMENT, text) from error


class Server(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves the newest version of a model below `base`, until it is left."""

    def __init__(self, base: Path):
        self.base, self.name = Path(base), Path(base).name
        self.model = Model(self._newest())
        self._over = threading.Event()

    def __enter__(self):
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            self, self._grpc
        )
        self.port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        handler = type("Handler", (_Rest,), {"server_of": self})
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.rest_port = self._http.server_address[1]
        for work in (self._http.serve_forever, self._watch):
            threading.Thread(target=work, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._grpc.stop(None)
        self._http.shutdown()

    def _newest(self) -> Path:
        versions = [path for path in self.base.iterdir() if path.name.isdecimal()]
        return max(versions, key=lambda path: int(path.name))

    def _watch(self):
        while not self._over.wait(0.05):
            newest = self._newest()
            if int(newest.name) > self.model.version:
                self.model = Model(newest)  # Read whole, or this raises.

    def predict(self, name, version, signature, given):
        """(version, outputs by name)."""
        model = self.model
        if name != self.name:
            raise Rejected(grpc.StatusCode.NOT_FOUND, f"Servable not found: {name}")
        if version not in (None, model.version):
            raise Rejected(grpc.StatusCode.NOT_FOUND, f"no version {version}")
        return model.version, model.answer(signature, given)

    def Predict(self, request, context):  # noqa: N802
        """TF Serving's call."""
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            given = {n: tf.make_ndarray(v) for n, v in request.inputs.items()}
            version, outputs = self.predict(
                spec.name, version, spec.signature_name, given
            )
        except Rejected as error:
            context.abort(error.status, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.version.value = self.name, version
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


class _Rest(http.server.BaseHTTPRequestHandler):
    """POST /v1/models/NAME[/versions/N]:predict with instances, row by row."""

    server_of: Server

    def do_POST(self):  # noqa: N802
        """A prediction."""
        try:
            place, _, verb = self.path.removeprefix("/v1/models/").partition(":")
            name, _, version = place.partition("/versions/")
            text = self.rfile.read(int(self.headers["Content-Length"]))
            asked = json.loads(text)
            rows = [_row(instance) for instance in asked["instances"]]
            if verb != "predict" or not rows:
                raise ValueError(f"{verb} of {len(rows)} instances")
            model = self.server_of.model
            signature = asked.get("signature_name", "serving_default")
            run = model.loaded.signatures.get(signature)
            (single,) = run.structured_input_signature[1] if run else ("",)
            _, outputs = self.server_of.predict(
                name, int(version) if version else None, signature, {single: rows}
            )
            told = [
                {name: _plain(values[i]) for name, values in outputs.items()}
                for i in range(len(rows))
            ]
            self._reply(200, {"predictions": told})
        except Rejected as error:
            missing = error.status == grpc.StatusCode.NOT_FOUND
            self._reply(404 if missing else 400, {"error": str(error)})
        except (ValueError, KeyError, TypeError) as error:
            self._reply(400, {"error": f"Malformed request: {error}"})

    def _reply(self, status, told):
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing."""


def _row(instance):
    if isinstance(instance, dict) and set(instance) == {"b64"}:
        return base64.b64decode(instance["b64"], validate=True)
    return instance


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return value.tolist()


def wait_for(condition, seconds=60):
    """Returns when the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
