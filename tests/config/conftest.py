from pathlib import Path

import pytest

from tests.config.support import Workplace


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """With one usable model, so that only what a test adds is wrong."""
    place = Workplace(tmp_path)
    place.write_config("")
    return place
