"""Runs a `.keras` file with Keras."""


def load(path):
    """A function of raw inputs `[n, ...]`, as images uint8: answers `[n, ...]`.

    Of several inputs it takes a dictionary by name, of several outputs it gives a list
    or a dictionary.

    Args:
        path: The file.
    """
    import keras

    model = keras.saving.load_model(path, compile=False)
    return model.predict_on_batch
