"""Drafts of files: an interrupt at any moment leaves nothing open."""

from pathlib import Path

import h5py
import pytest

from lasernet.data import new_file
from lasernet.data.patient_file import CalmThread


def test_an_interrupt_while_a_file_is_opened_leaves_it_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Interrupted(CalmThread):
        def do(self, work):  # type: ignore[no-untyped-def]
            answer = super().do(work)
            calls.append(work)
            if len(calls) == 1:
                raise KeyboardInterrupt
            return answer

    monkeypatch.setattr(new_file, "CalmThread", Interrupted)
    place = tmp_path / "draft.h5"
    place.touch()
    before = h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)
    with pytest.raises(KeyboardInterrupt):
        new_file.Draft(place)
    assert len(calls) == 2
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == before
