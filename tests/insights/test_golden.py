"""The planner writes the SQL that is checked in, in both dialects."""

import golden
import pytest
import world


@pytest.fixture(scope="module")
def rendered():
    planner = world.Planner()
    yield golden.render(planner)
    planner.close()


def test_files_are_those_of_the_kinds(rendered):
    stored = {str(path.relative_to(golden.FOLDER)) for path in golden.FOLDER.glob("*/*.sql")}
    assert stored == set(rendered)
    assert len(stored) >= 20


def test_sql_is_what_is_checked_in(rendered):
    changed = [path for path, text in rendered.items() if (golden.FOLDER / path).read_text() != text]
    assert not changed, "tests/insights/golden.py writes them anew: " + ", ".join(changed)
