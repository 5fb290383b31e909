"""Packaging; the version stands in ns_tf/__init__.py alone."""

import pathlib
import re

import setuptools

here = pathlib.Path(__file__).parent
version = re.search(
    r'^__version__ = "(.+)"$', (here / "ns_tf/__init__.py").read_text(), re.M
).group(1)

EXPORT = [
    "ai-edge-litert>=2.0",
    "onnx>=1.16",
    "onnxruntime>=1.18",
    "tf2onnx>=1.16",
    "tensorflow-serving-api>=2.18",  # The messages of warm-up requests.
]

setuptools.setup(
    name="ns_tf",
    version=version,
    description="NeuralScale for Keras: every layer's right width for any budget",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=setuptools.find_packages(include=["ns_tf", "ns_tf.*"]),
    package_data={"ns_tf": ["py.typed", "report/assets/*", "export/runtimes/*.py"]},
    install_requires=[
        "tensorflow>=2.18",
        "keras>=3.8",
        "tensorflow-datasets>=4.9.7",
        "importlib_resources",  # tensorflow-datasets imports it unasked.
        "keras-tuner>=1.4.7",
        "numpy>=1.26",
        "scipy>=1.11",
        "absl-py>=2.0",
        "matplotlib>=3.8",
        "scikit-learn>=1.3",  # The digits; keras-tuner's Bayesian search.
        "tensorboard>=2.18",  # tf.summary needs it, and so does keras-tuner.
        "threadpoolctl>=3.1",  # scikit-learn needs it as well.
        "tqdm>=4.60",
    ],
    extras_require={
        "export": EXPORT,
        "dev": [
            *EXPORT,
            "pytest>=8",
            "pytest-xdist>=3.5",
            "hypothesis>=6.90",
            "ruff>=0.6",
        ],
        "bench": ["torch>=2.4", "torch-pruning>=1.5"],
    },
)
