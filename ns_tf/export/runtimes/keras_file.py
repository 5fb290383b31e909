"""Runs a `.keras` file with Keras."""


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Args:
        path: The file.
    """
    import keras

    model = keras.saving.load_model(path, compile=False)
    return model.predict_on_batch
