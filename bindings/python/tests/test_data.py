import cyclr.data
import numpy as np


def test_parts_are_cut_alike_for_the_same_data_seed():
    data = cyclr.data.fashion_mnist(validation=1000)
    assert data.train.images.shape == (9000, 28, 28) and data.train.images.dtype == np.uint8
    assert np.bincount(data.validation.labels).tolist() == [100] * 10
    assert np.bincount(data.test.labels).tolist() == [200] * 10
    assert len(data.classes) == 10
    again = cyclr.data.fashion_mnist(validation=1000)
    assert (again.validation.images == data.validation.images).all()
    other = cyclr.data.fashion_mnist(validation=1000, data_seed=1)
    assert (other.validation.images != data.validation.images).any()
