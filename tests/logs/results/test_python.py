"""pytest and unittest."""

from __future__ import annotations

from tests.logs.results.reading import counted, names, only, report, suites

PYTEST = """
============================= test session starts ==============================
collected 3 items

tests/test_shop.py::test_opens PASSED                                    [ 33%]
tests/test_shop.py::TestTill::test_sum[a - b] FAILED                     [ 66%]
tests/test_shop.py::test_closes ERROR                                    [100%]

==================================== ERRORS ====================================
________________________ ERROR at setup of test_closes _________________________

    @pytest.fixture
    def door():
>       raise OSError("stuck")
E       OSError: stuck

tests/conftest.py:7: OSError
=================================== FAILURES ===================================
__________________________ TestTill.test_sum[a - b] ____________________________

    def test_sum(self):
>       assert 1 == 2
E       assert 1 == 2

tests/test_shop.py:12: AssertionError
=========================== short test summary info ============================
FAILED tests/test_shop.py::TestTill::test_sum[a - b] - assert 1 == 2
ERROR tests/test_shop.py::test_closes - OSError: stuck
===================== 1 failed, 1 passed, 1 error in 0.12s =====================
"""


def test_pytest_names_are_whole_ids_also_with_blanks_in_a_parameter() -> None:
    assert names(PYTEST) == [
        ("failed", "tests/test_shop.py", "tests/test_shop.py::TestTill::test_sum[a - b]"),
        ("failed", "tests/test_shop.py", "tests/test_shop.py::test_closes"),
    ]


def test_a_section_gives_message_place_and_lines() -> None:
    failed, error = report(PYTEST).results
    assert (failed.message, failed.location) == ("assert 1 == 2", "tests/test_shop.py:12")
    assert failed.spans == ((22, 24), (26, 26))
    assert (error.message, error.location, error.line) == ("OSError: stuck", "tests/conftest.py:7", 27)


def test_pytest_counts_by_session_where_an_error_of_set_up_hides_names() -> None:
    assert counted(PYTEST) == [("", 1, 2, None)]


def test_verbose_rows_name_all_that_ran_by_file() -> None:
    log = """
        collected 3 items
        tests/test_a.py::test_one PASSED [ 33%]
        tests/test_a.py::test_two SKIPPED (no network) [ 66%]
        tests/test_b.py::test_one PASSED [100%]
        ========================= 2 passed, 1 skipped in 0.02s =========================
        """
    assert counted(log) == [("tests/test_a.py", 1, 0, None), ("tests/test_b.py", 1, 0, None)]
    assert suites(log)[0].names == ("tests/test_a.py::test_one",)


def test_rows_of_workers_and_durations_before_a_name_are_read() -> None:
    log = """
        [gw0] [ 50%] FAILED tests/test_a.py::test_one
        [gw1] [100%] PASSED tests/test_a.py::test_two
        =========================== short test summary info ============================
        FAILED [310.02s] tests/test_a.py::test_one - RuntimeError: late
        ========================= 1 failed, 1 passed in 310.10s (0:05:10) ==============
        """
    result = only(log)
    assert (result.test, result.message, result.wall_s) == ("tests/test_a.py::test_one", "RuntimeError: late", 310.02)


def test_a_file_that_cannot_be_collected_counts_under_its_name() -> None:
    log = """
        collected 0 items / 1 error
        ==================================== ERRORS ====================================
        ____________________ ERROR collecting tests/test_shop.py _______________________
        ImportError while importing test module '/w/tests/test_shop.py'.
        tests/test_shop.py:1: in <module>
            import till
        E   ModuleNotFoundError: No module named 'till'
        !!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
        =============================== 1 error in 0.10s ===============================
        """
    result = only(log)
    assert (result.test, result.message) == ("tests/test_shop.py", "ModuleNotFoundError: No module named 'till'")


def test_a_test_that_passed_when_run_again_is_flaky() -> None:
    log = """
        collected 1 item
        tests/test_a.py::test_one RERUN                                          [100%]
        tests/test_a.py::test_one PASSED                                         [100%]
        ========================= 1 passed, 1 rerun in 0.02s ===========================
        """
    assert names(log) == [("flaky", "tests/test_a.py", "tests/test_a.py::test_one")]


def test_without_a_summary_a_section_names_its_test() -> None:
    log = """
        tests/test_a.py F                                                        [100%]
        =================================== FAILURES ===================================
        ___________________________________ test_one ___________________________________

        >       assert False
        E       assert False

        tests/test_a.py:3: AssertionError
        =========================== 1 failed in 0.02 seconds ===========================
        """
    assert names(log) == [("failed", "tests/test_a.py", "tests/test_a.py::test_one")]


def test_a_session_that_collected_nothing_is_told() -> None:
    log = """
        collected 0 items
        ============================ no tests ran in 0.01s =============================
        """
    assert counted(log) == [("", 0, 0, None)]


def test_logged_errors_are_no_failed_tests() -> None:
    log = """
        ERROR tests/test_a.py the server said no
        ERROR    root:shop.py:12 FAILED to open
        FAILED to fetch index - try again
        """
    assert report(log).results == ()


UNITTEST = """
test_opens (shop.tests.Till) ... ok
test_sum (shop.tests.Till.test_sum) ... FAIL
======================================================================
FAIL: test_sum (shop.tests.Till.test_sum)
The till knows its sum
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/w/shop/tests.py", line 9, in test_sum
    self.assertEqual(1, 2)
AssertionError: 1 != 2
- first
+ second

----------------------------------------------------------------------
Ran 2 tests in 0.001s

FAILED (failures=1)
"""


def test_unittest_names_classes_messages_and_places() -> None:
    result = only(UNITTEST)
    assert (result.suite, result.test) == ("shop.tests.Till.test_sum", "test_sum (shop.tests.Till.test_sum)")
    assert (result.message, result.location) == ("AssertionError: 1 != 2", "/w/shop/tests.py:9")
    assert (result.line, result.spans) == (4, ((10, 12), (4, 4)))
    assert counted(UNITTEST) == [("", 1, 1, 0)]
    assert suites(UNITTEST)[0].names == ("test_opens (shop.tests.Till)", "test_sum (shop.tests.Till.test_sum)")


def test_a_module_that_does_not_load_counts_under_the_name_printed_and_its_cause_is_the_message() -> None:
    result = only(
        """
        ======================================================================
        ERROR: shop.tests (unittest.loader._FailedTest)
        ----------------------------------------------------------------------
        ImportError: Failed to import test module: shop.tests
        Traceback (most recent call last):
          File "/w/shop/tests.py", line 1, in <module>
            import till
        ModuleNotFoundError: No module named 'till'


        ----------------------------------------------------------------------
        Ran 1 test in 0.000s

        FAILED (errors=1)
        """
    )
    assert result.test == "shop.tests (unittest.loader._FailedTest)"
    assert result.message == "ModuleNotFoundError: No module named 'till'"


def test_unittest_that_ran_nothing_is_told() -> None:
    assert counted("Ran 0 tests in 0.000s\n\nNO TESTS RAN\n") == [("", 0, 0, 0)]
    assert counted("Ran 0 tests in 0.000s\n\nOK\n") == [("", 0, 0, 0)]
