"""Runs a SavedModel through libtensorflow's C API, by ctypes alone.

python c_api.py TENSORFLOW_FOLDER SAVED_MODEL INPUT OUTPUT IMAGES.npy
"""

import ctypes
import json
import sys
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_void_p

import numpy as np

UINT8 = 4  # TF_DataType.


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


def main(folder, model, input_name, output_name, images):
    """Prints the first output as JSON."""
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        library = ctypes.CDLL(f"{folder}/{name}", mode=ctypes.RTLD_GLOBAL)
    for name in (
        "NewStatus",
        "NewGraph",
        "NewSessionOptions",
        "LoadSessionFromSavedModel",
        "GraphOperationByName",
        "AllocateTensor",
        "TensorData",
    ):
        getattr(library, f"TF_{name}").restype = c_void_p
    library.TF_Message.restype = c_char_p
    library.TF_TensorByteSize.restype = c_size_t
    library.TF_Dim.restype = c_int64

    status, graph = c_void_p(library.TF_NewStatus()), c_void_p(library.TF_NewGraph())

    def check():
        if library.TF_GetCode(status):
            raise SystemExit(library.TF_Message(status).decode())

    tags = (c_char_p * 1)(b"serve")
    options = c_void_p(library.TF_NewSessionOptions())
    session = c_void_p(
        library.TF_LoadSessionFromSavedModel(
            options, None, model.encode(), tags, 1, graph, None, status
        )
    )
    check()

    def output(name):
        operation, _, index = name.partition(":")
        found = library.TF_GraphOperationByName(graph, operation.encode())
        return (Output * 1)(Output(found, int(index or 0)))

    pixels = np.ascontiguousarray(np.load(images))
    dims = (c_int64 * pixels.ndim)(*pixels.shape)
    given = c_void_p(
        library.TF_AllocateTensor(UINT8, dims, pixels.ndim, c_size_t(pixels.nbytes))
    )
    ctypes.memmove(library.TF_TensorData(given), pixels.ctypes.data, pixels.nbytes)
    inputs, made = (c_void_p * 1)(given), (c_void_p * 1)()
    library.TF_SessionRun(
        *(session, None, output(input_name), inputs, 1),
        *(output(output_name), made, 1, None, 0, None, status),
    )
    check()
    answer = c_void_p(made[0])
    size = library.TF_TensorByteSize(answer)
    values = ctypes.string_at(library.TF_TensorData(answer), size)
    shape = [library.TF_Dim(answer, i) for i in range(library.TF_NumDims(answer))]
    print(json.dumps(np.frombuffer(values, np.float32).reshape(shape).tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
