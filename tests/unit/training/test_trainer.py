import gc
import weakref

from tutelage.training.trainer import _older_objects_aside


class Cycle:
    def __init__(self):
        self.me = self


def test_a_collection_inside_takes_what_is_new_and_leaves_what_is_older_for_later():
    older = weakref.ref(Cycle())
    with _older_objects_aside():
        newer = weakref.ref(Cycle())
        gc.collect()
        assert newer() is None
        assert older() is not None
    gc.collect()
    assert older() is None


def test_objects_that_somebody_else_froze_stay_frozen():
    gc.freeze()
    try:
        with _older_objects_aside():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
