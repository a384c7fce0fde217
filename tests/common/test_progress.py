import time

from gan_jax.common.progress import announced


def test_short_work_is_silent(capsys):
    assert list(announced(iter(range(1000)), 1000, "Counting")) == list(range(1000))
    assert capsys.readouterr() == ("", "")


def test_long_work_announces_once_how_long_it_will_take(capsys):
    def slow():
        for item in range(6):
            time.sleep(0.4)
            yield item

    assert list(announced(slow(), 6, "Counting")) == [0, 1, 2, 3, 4, 5]
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Counting: 3 of 6, about 1 s left\n")
