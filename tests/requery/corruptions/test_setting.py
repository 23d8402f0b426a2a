import numpy as np

from requery.corruptions.setting import Setting, item_seed, stream


def test_streams_depend_on_each_part_of_their_key():
    keys = [("a", "snow", 0), ("b", "snow", 0), ("a", "fog", 0), ("a", "snow", 1), (1, "snow", 0)]
    assert len({item_seed(*key) for key in keys}) == 5
    assert item_seed(1, "snow", 0) == item_seed("1", "snow", 0)
    assert stream("a", "snow", 0).random() == stream("a", "snow", 0).random()


def test_lengths_in_reference_pixels_are_at_least_one():
    setting = Setting(1, np.random.default_rng(0), scale=48 / 224)
    assert (setting.reference(48), setting.reference(96)) == (224, 448)
    assert Setting(1, np.random.default_rng(0), scale=4.0).reference(1) == 1
