import pytest

from patina.core import errors


@pytest.mark.parametrize(
    ("name", "code"),
    [("UsageError", 2), ("DataRefused", 3), ("StorageError", 4), ("StageFailed", 5), ("Interrupted", 75)],
)
def test_each_error_has_the_exit_code_that_the_readme_promises(name, code):
    kind = errors.ERRORS_BY_NAME[name]
    assert kind is getattr(errors, name)
    assert kind.exit_code == code


def test_every_error_can_be_found_by_its_name():
    # A failed stage leaves its error's class name in state.json; the command line turns it back into an exit code.
    assert set(errors.ERRORS_BY_NAME.values()) == set(errors.PatinaError.__subclasses__())


def test_exit_codes_tell_the_errors_apart():
    codes = [kind.exit_code for kind in errors.ERRORS_BY_NAME.values()]
    assert len(set(codes)) == len(codes)
    assert not {0, 1} & set(codes), "1 is Python's own for an error that nobody foresaw"
