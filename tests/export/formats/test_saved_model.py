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

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from serving import Server, wait_for
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

CLIENTS, REQUESTS = 8, 200


@pytest.fixture(scope="module")
def published(status, tmp_path_factory):
    """Folders by version of a small network; version 2 has other weights."""
    root = tmp_path_factory.mktemp("published")
    folders = {}
    for version in (1, 2):
        asked = (
            f"--run_dir={root / 'runs'}",
            "--architecture=vgg11",
            "--dataset=digits",
            "--widths=5,5,7,7,7,7,7,11",
            "--epochs=1",
            "--batch=200",
            "--rate=0.05",
            f"--seed={version}",
            f"--name=seed{version}",
        )
        assert status("train", *asked) == 0
        exported = (
            f"--run_dir={root / 'runs'}",
            f"--training=seed{version}",
            f"--out_dir={root / str(version)}",
            "--name=digits",
            f"--version={version}",
            "--check_images=20",
        )
        assert status("export", *exported) == 0
        folders[version] = root / str(version) / "digits" / str(version)
    return folders


@pytest.fixture
def server(published, tmp_path):
    """A server that has version 1."""
    shutil.copytree(published[1], tmp_path / "digits" / "1")
    with Server(tmp_path / "digits") as server:
        yield server


@pytest.fixture
def stub(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
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
def test_a_malformed_request_is_refused_and_the_next_one_answered(stub, case):
    asked, told = BAD_REQUESTS[case]
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(asked, timeout=60)
    assert error.value.code().name == told
    good = request(np.zeros((2, 32, 32, 1), np.uint8))
    answer = stub.Predict(good, timeout=60)
    assert tf.make_ndarray(answer.outputs["probabilities"]).shape == (2, 10)


def post(server, body, path="/v1/models/digits:predict"):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=60)
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def test_rest_answers_as_grpc_does(server, published, rng):
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
        status, answer = post(server, json.dumps(asked))
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
def test_rest_refuses_what_is_malformed(server, body, path, code):
    assert post(server, body, path)[0] == code


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
    command = [sys.executable, "-I", str(Path(__file__).with_name("c_api.py"))]
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
