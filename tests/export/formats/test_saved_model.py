"""An exported folder as servers read it: TF Serving's messages, TensorFlow's C API."""

import base64
import concurrent.futures
import http.client
import io
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import exports
import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from places import ROOT
from serving import Server, wait_for
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from ns_tf.export import formats

CLIENTS, REQUESTS = 8, 200


def digits(seed, **fields):
    """A network for digits of 32 x 32 pixels."""
    names = tuple(str(digit) for digit in range(10))
    model = exports.network((32, 32, 1), seed, classes=10)
    return exports.source(model, name="digits", class_names=names, **fields)


def written(folder, source):
    """The SavedModel of a source."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    formats.get("saved_model").write(source, folder)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Folders by version of a small network; version 2 has other weights."""
    root = tmp_path_factory.mktemp("published")
    return {
        version: written(root / str(version) / "digits" / str(version), digits(version))
        for version in (1, 2)
    }


@pytest.fixture(scope="module")
def served(published):
    return tf.saved_model.load(str(published[1]))


def encode(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(file, kind, quality=100)
    return file.getvalue()


def test_bytes_and_pixels_are_answered_alike(served, rng):
    images = rng.integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    default, encoded = (served.signatures[n] for n in ("serving_default", "encoded"))
    answers = default(image=tf.constant(images))
    pngs = [encode(image, "PNG") for image in images]
    found = encoded(encoded=tf.constant(pngs))
    for name in ("probabilities", "class", "class_name"):
        np.testing.assert_array_equal(answers[name], found[name])
    best = answers["probabilities"].numpy().argmax(-1)
    np.testing.assert_array_equal(answers["class"], best)
    assert [name.decode() for name in answers["class_name"].numpy()] == [
        str(digit) for digit in best
    ]
    np.testing.assert_allclose(answers["probabilities"].numpy().sum(-1), 1, rtol=1e-5)
    jpeg = encode(images[0], "JPEG")
    decoded = np.array(Image.open(io.BytesIO(jpeg)))[None, ..., None]
    np.testing.assert_allclose(
        encoded(encoded=tf.constant([jpeg]))["probabilities"],
        default(image=tf.constant(decoded))["probabilities"],
        atol=1e-4,
    )


@pytest.mark.parametrize(
    "given, told",
    [
        (b"no image", "bytes of a JPEG or PNG"),
        (b"", "bytes of a JPEG or PNG"),
        (encode(np.zeros((31, 32, 1), np.uint8), "PNG"), "32x32 pixels"),
        (encode(np.zeros((32, 32, 1), np.uint8), "PNG")[:40], "PNG"),
    ],
)
def test_bytes_that_are_no_such_image_get_an_error(served, given, told):
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        served.signatures["encoded"](encoded=tf.constant([given]))


def test_warm_up_requests_are_those_of_tf_serving(published, served):
    path = published[1] / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(path))
    ]
    requests = [log.predict_log.request for log in logs]
    assert [r.model_spec.signature_name for r in requests] == [
        "serving_default",
        "encoded",
    ]
    for request in requests:
        signature = served.signatures[request.model_spec.signature_name]
        given = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = signature(
            **{name: tf.constant(value) for name, value in given.items()}
        )
        assert answer["probabilities"].shape == (1, 10)
        assert request.model_spec.name == "digits"


def test_answers_are_those_of_the_network(served):
    source = digits(1)
    images = exports.pixels(source, 13)
    found = served.signatures["serving_default"](image=tf.constant(images))
    wanted = exports.answers(source, images)
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(17, 51), (32, 32), (101, 7)])
def test_images_of_any_size_are_resized_if_asked_for(resizing, size):
    default, encoded = (resizing.signatures[n] for n in ("serving_default", "encoded"))
    images = np.full((2, *size, 1), 128, np.uint8)
    images[:, : size[0] // 2] = 31
    answers = default(image=tf.constant(images))["probabilities"]
    png = encoded(encoded=tf.constant([encode(images[0], "PNG")]))["probabilities"]
    np.testing.assert_allclose(answers[:1], png, atol=1e-6)
    if size == (32, 32):
        wanted = exports.answers(digits(1), images)
        np.testing.assert_allclose(answers, wanted, atol=1e-5)


@pytest.fixture(scope="module")
def resizing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resizing") / "1"
    return tf.saved_model.load(str(written(folder, digits(1, resize=True))))


def test_weights_are_in_the_folder_once(published):
    """The network's, and no second copy."""
    size = sum(weight.numpy().nbytes for weight in digits(1).model.weights)
    variables = published[1] / "variables" / "variables.data-00000-of-00001"
    assert size <= variables.stat().st_size < size + 2000


# Served.


@pytest.fixture(scope="module")
def still(published, tmp_path_factory):
    """A server that has version 1 and gets no other."""
    folder = tmp_path_factory.mktemp("still") / "digits"
    shutil.copytree(published[1], folder / "1")
    with Server(folder) as server:
        yield server


@pytest.fixture
def server(published, tmp_path):
    """A server that has version 1."""
    shutil.copytree(published[1], tmp_path / "digits" / "1")
    with Server(tmp_path / "digits") as server:
        yield server


def calls(server):
    """A channel to the server, open while its context lasts."""
    return grpc.insecure_channel(f"127.0.0.1:{server.port}")


@pytest.fixture
def stub(server):
    with calls(server) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def still_stub(still):
    with calls(still) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(images, name="digits", signature="serving_default", given="image"):
    made = predict_pb2.PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = name, signature
    made.inputs[given].CopyFrom(tf.make_tensor_proto(images))
    return made


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(file, "PNG")
    return file.getvalue()


def expected(folder, images):
    run = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return run(image=tf.constant(images))["probabilities"].numpy()


def test_every_answer_is_right_for_the_version_that_gave_it(
    server, stub, published, rng
):
    """200 requests of 8 clients, both signatures, a new version in the middle."""
    images = rng.integers(0, 256, (13, 32, 32, 1), dtype=np.uint8)
    right = {version: expected(folder, images) for version, folder in published.items()}
    assert np.abs(right[1] - right[2]).max() > 1e-3
    pngs = [png(image) for image in images]
    seen, lock = [], threading.Lock()

    def client(number):
        chooser = np.random.default_rng(number)
        done = 0
        while done < REQUESTS // CLIENTS or not any(v == 2 for v in list(seen)):
            some = chooser.choice(13, chooser.integers(1, 6), replace=False)
            if done % 2:
                asked = request([pngs[i] for i in some], "digits", "encoded", "encoded")
            else:
                asked = request(images[some])
            answer = stub.Predict(asked, timeout=60)
            version = answer.model_spec.version.value
            got = tf.make_ndarray(answer.outputs["probabilities"])
            np.testing.assert_allclose(got, right[version][some], atol=1e-5)
            classes = tf.make_ndarray(answer.outputs["class"])
            np.testing.assert_array_equal(classes, got.argmax(-1))
            with lock:
                seen.append(version)
            done += 1

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(client, number) for number in range(CLIENTS)]
        wait_for(lambda: len(seen) >= REQUESTS // 4 or running[0].done())
        # As ns_tf.export does it: written beside, then renamed.
        hidden = server.base / ".2.writing"
        shutil.copytree(published[2], hidden)
        hidden.rename(server.base / "2")
        for future in running:
            future.result(timeout=120)
    assert len(seen) >= REQUESTS
    assert set(seen) == {1, 2}


BAD_REQUESTS = {
    "another model": (request(np.zeros((1, 32, 32, 1), np.uint8), "cats"), "NOT_FOUND"),
    "another signature": (
        request(np.zeros((1, 32, 32, 1), np.uint8), signature="classify"),
        "INVALID_ARGUMENT",
    ),
    "another input": (
        request(np.zeros((1, 32, 32, 1), np.uint8), given="pixels"),
        "INVALID_ARGUMENT",
    ),
    "another size": (request(np.zeros((1, 31, 32, 1), np.uint8)), "INVALID_ARGUMENT"),
    "one image too few": (request(np.zeros((32, 32, 1), np.uint8)), "INVALID_ARGUMENT"),
    "no image": (
        request([b"GIF89a"], signature="encoded", given="encoded"),
        "INVALID_ARGUMENT",
    ),
    "a PNG of another size": (
        request(
            [png(np.zeros((7, 7, 1), np.uint8))], signature="encoded", given="encoded"
        ),
        "INVALID_ARGUMENT",
    ),
}


@pytest.mark.parametrize("case", BAD_REQUESTS)
def test_a_malformed_request_is_refused_and_the_next_one_answered(still_stub, case):
    asked, told = BAD_REQUESTS[case]
    with pytest.raises(grpc.RpcError) as error:
        still_stub.Predict(asked, timeout=60)
    assert error.value.code().name == told
    good = request(np.zeros((2, 32, 32, 1), np.uint8))
    answer = still_stub.Predict(good, timeout=60)
    assert tf.make_ndarray(answer.outputs["probabilities"]).shape == (2, 10)


def post(server, body, path="/v1/models/digits:predict"):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_rest_answers_as_grpc_does(still, published, rng):
    images = rng.integers(0, 256, (3, 32, 32, 1), dtype=np.uint8)
    right = expected(published[1], images)
    told = [
        {"instances": images.tolist()},
        {
            "signature_name": "encoded",
            "instances": [
                {"b64": base64.b64encode(png(image)).decode()} for image in images
            ],
        },
    ]
    for asked in told:
        status, answer = post(still, json.dumps(asked))
        assert status == 200
        rows = answer["predictions"]
        got = np.array([row["probabilities"] for row in rows])
        np.testing.assert_allclose(got, right, atol=1e-5)
        assert [row["class_name"] for row in rows] == [str(i) for i in right.argmax(-1)]


@pytest.mark.parametrize(
    "body, path, code",
    [
        ("{", "/v1/models/digits:predict", 400),
        ('{"instances": []}', "/v1/models/digits:predict", 400),
        ('{"instances": [[1]]}', "/v1/models/digits:predict", 400),
        ('{"instances": [{"b64": "!"}]}', "/v1/models/digits:predict", 400),
        ('{"instances": [[[[0]]]]}', "/v1/models/cats:predict", 404),
        ('{"instances": [[[[0]]]]}', "/v1/models/digits/versions/7:predict", 404),
    ],
)
def test_rest_refuses_what_is_malformed(still, body, path, code):
    assert post(still, body, path)[0] == code


def test_the_c_api_without_python_gives_the_same(published, tmp_path, rng):
    """The C++ loader that TF Serving has, too; the process imports no TensorFlow."""
    images = rng.integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    saved = saved_model_pb2.SavedModel.FromString(
        (published[1] / "saved_model.pb").read_bytes()
    )
    signature = saved.meta_graphs[0].signature_def["serving_default"]
    names = (
        signature.inputs["image"].name,
        signature.outputs["probabilities"].name,
    )
    command = [sys.executable, "-I", str(ROOT / "tests" / "c_api.py")]
    place = Path(tf.__file__).parent
    argv = [
        *command,
        str(place),
        str(published[1]),
        *names,
        str(tmp_path / "images.npy"),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    got = np.array(json.loads(done.stdout.splitlines()[-1]))
    np.testing.assert_allclose(got, expected(published[1], images), atol=1e-6)
