"""The pictures of a search are of its last state."""

from toys import scored, toy_search

from ns_tf.descend.pictures import draw


def drawn(folder, record):
    draw(folder, record)
    return {path.name: path.read_bytes() for path in (folder / "plots").iterdir()}


def test_pictures_are_of_the_last_state(tmp_path):
    pictures = drawn(tmp_path, toy_search(3))
    assert pictures.keys() == {"growth_03.png", "widths.png"}
    assert all(picture[:4] == b"\x89PNG" for picture in pictures.values())


def test_scores_are_drawn_where_the_search_kept_them(tmp_path):
    pictures = drawn(tmp_path, scored(toy_search(2)))
    assert pictures.keys() == {"growth_02.png", "scores_02.png", "widths.png"}
