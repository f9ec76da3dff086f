"""jest, vitest, mocha, surefire, Gradle, Ant and go test."""

from __future__ import annotations

from tests.logs.results.reading import counted, names, only, report

JEST = """
PASS src/door.test.ts
FAIL src/till.test.ts (5.2 s)
  ● Console

    console.log
      hello

  ● till › sums › adds two

    expect(received).toBe(expected)

    Expected: 3
    Received: 4

      at Object.<anonymous> (src/till.test.ts:9:20)

  ● Test suite failed to run

    Cannot find module './drawer'

Summary of all failing tests
FAIL src/till.test.ts
  ● till › sums › adds two

    expect(received).toBe(expected)

Test Suites: 1 failed, 1 passed, 2 total
Tests:       1 failed, 2 skipped, 7 passed, 10 total
"""


def test_jest_joins_titles_and_names_a_file_that_did_not_load() -> None:
    assert names(JEST) == [
        ("failed", "src/till.test.ts", "till › sums › adds two"),
        ("failed", "src/till.test.ts", "src/till.test.ts"),
    ]
    first = report(JEST).results[0]
    assert (first.message, first.location) == ("expect(received).toBe(expected)", "src/till.test.ts:9")
    assert first.spans == ((8, 13),)
    assert counted(JEST) == [("", 7, 1, 2)]


def test_vitest_writes_file_and_titles_in_one_row() -> None:
    log = """
         FAIL  src/till.test.ts > sums > adds two
        AssertionError: expected 4 to be 3
         ❯ src/till.test.ts:9:20

         Test Files  1 failed | 1 passed (2)
              Tests  1 failed | 7 passed (8)
        """
    result = only(log)
    assert (result.framework, result.suite) == ("vitest", "src/till.test.ts")
    assert result.test == "src/till.test.ts > sums > adds two"
    assert (result.message, result.location) == ("AssertionError: expected 4 to be 3", "src/till.test.ts:9")
    assert counted(log) == [("", 7, 1, 0)]


def test_jest_without_tests_is_told() -> None:
    assert counted("No tests found, exiting with code 1\n") == [("", 0, 0, None)]


def test_a_bullet_outside_of_a_failed_file_is_no_test() -> None:
    assert report("PASS src/a.test.js\n  ● careful › with that\n● tea\n").results == ()


MOCHA = """
  7 passing (3s)
  1 pending
  2 failing

  1) till
       sums
         adds two:
     AssertionError: expected 4 to equal 3
      at Context.<anonymous> (test/till.js:9:20)

  2) door
       "before each" hook for "opens":
     Error: stuck
      at Context.<anonymous> (test/door.js:2:3)

npm ERR! Test failed.
"""


def test_mocha_titles_over_several_lines_are_one_name() -> None:
    assert names(MOCHA) == [
        ("failed", "till", "till sums adds two"),
        ("failed", "door", 'door "before each" hook for "opens"'),
    ]
    first = report(MOCHA).results[0]
    assert (first.message, first.location) == ("AssertionError: expected 4 to equal 3", "test/till.js:9")
    assert first.spans == ((5, 8),)
    assert counted(MOCHA) == [("", 7, 2, 1)]


SUREFIRE = """
[INFO] Running org.shop.TillTest
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 1, Time elapsed: 0.5 s <<< FAILURE! - in org.shop.TillTest
[ERROR] org.shop.TillTest.addsTwo  Time elapsed: 0.1 s  <<< FAILURE!
java.lang.AssertionError: expected 3
	at org.junit.Assert.fail(Assert.java:87)
	at org.shop.TillTest.addsTwo(TillTest.java:9)

[INFO] Results:
[INFO]
[ERROR] Failures:
[ERROR]   TillTest.addsTwo:9 expected 3
[INFO]
[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 1
"""


def test_surefire_names_a_test_once() -> None:
    result = only(SUREFIRE)
    assert (result.suite, result.test) == ("org.shop.TillTest", "org.shop.TillTest.addsTwo")
    assert (result.message, result.location) == ("java.lang.AssertionError: expected 3", "TillTest.java:9")
    assert (result.wall_s, result.spans) == (0.1, ((3, 4),))
    assert counted(SUREFIRE) == [("org.shop.TillTest", 1, 1, 1)]


def test_the_list_of_surefire_counts_where_no_detail_was_printed() -> None:
    old = """
        Results :

        Failed tests:   addsTwo(org.shop.TillTest): expected 3
          opens(org.shop.DoorTest)

        Tests in error:
          DoorTest.closes:12 » NullPointer

        Tests run: 9, Failures: 2, Errors: 1, Skipped: 0
        """
    assert names(old) == [
        ("failed", "org.shop.TillTest", "org.shop.TillTest.addsTwo"),
        ("failed", "org.shop.DoorTest", "org.shop.DoorTest.opens"),
        ("failed", "DoorTest", "DoorTest.closes"),
    ]
    assert report(old).results[2].location == "DoorTest.java:12"


def test_surefire_tells_of_tests_that_passed_when_run_again() -> None:
    log = """
        [ERROR] org.shop.TillTest.addsTwo -- Time elapsed: 0.1 s <<< FAILURE!
        java.lang.AssertionError: expected 3

        [INFO] Results:
        [INFO]
        [WARNING] Flakes:
        [WARNING] org.shop.TillTest.addsTwo
        [ERROR]   Run 1: TillTest.addsTwo:9 expected 3
        [INFO]   Run 2: PASS
        [INFO]
        [INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0
        """
    assert names(log) == [("flaky", "org.shop.TillTest", "org.shop.TillTest.addsTwo")]


def test_a_list_that_a_program_prints_while_tests_run_names_no_failed_test() -> None:
    assert report("Running org.shop.TillTest\nFailed tests:\n  org.shop.DoorTest.opens\n").results == ()


def test_testng_alone() -> None:
    log = """
        PASSED: opens
        FAILED: addsTwo
        java.lang.AssertionError: expected 3
        ===============================================
        Total tests run: 2, Passes: 1, Failures: 1, Skips: 0
        """
    assert names(log) == [("failed", "", "addsTwo")]
    assert counted(log) == [("", 1, 1, 0)]


GRADLE = """
> Task :till:test FAILED

org.shop.TillTest > addsTwo(int) > [1] 3 FAILED
    java.lang.AssertionError at TillTest.java:9

org.shop.DoorTest.opens FAILED
    java.lang.IllegalStateException: stuck
        at org.shop.Door.open(Door.java:4)
        at org.shop.DoorTest.opens(DoorTest.java:7)

Gradle suite > Gradle test > org.shop.DoorTest > closes PASSED

22 tests completed, 2 failed, 1 skipped

some.host.example FAILED
"""


def test_gradle_names_classes_and_methods_and_no_task() -> None:
    assert names(GRADLE) == [
        ("failed", "org.shop.TillTest", "org.shop.TillTest > addsTwo(int) > [1] 3"),
        ("failed", "org.shop.DoorTest", "org.shop.DoorTest.opens"),
    ]
    first, second = report(GRADLE).results
    assert (first.message, first.location) == ("java.lang.AssertionError", "TillTest.java:9")
    assert (second.message, second.location) == ("java.lang.IllegalStateException: stuck", "DoorTest.java:7")
    assert counted(GRADLE) == [("", 19, 2, 1)]


def test_ant_cases_and_a_suite_that_names_none() -> None:
    log = """
            [junit] Testsuite: org.shop.TillTest
            [junit] Tests run: 2, Failures: 1, Errors: 0, Skipped: 0, Time elapsed: 0.1 sec
            [junit] Testcase: opens took 0.01 sec
            [junit] Testcase: addsTwo took 0.02 sec
            [junit] 	FAILED
            [junit] expected 3
            [junit] 	at org.shop.TillTest.addsTwo(TillTest.java:9)
            [junit] Test org.shop.TillTest FAILED
            [junit] Running org.shop.DoorTest
            [junit] Tests run: 1, Failures: 0, Errors: 1, Time elapsed: 0 sec
            [junit] Test org.shop.DoorTest FAILED
        """
    assert names(log) == [
        ("failed", "org.shop.TillTest", "org.shop.TillTest.addsTwo"),
        ("failed", "org.shop.DoorTest", "org.shop.DoorTest"),
    ]
    first = report(log).results[0]
    assert (first.message, first.location, first.wall_s) == ("expected 3", "TillTest.java:9", 0.02)
    assert counted(log) == [("org.shop.TillTest", 1, 1, 0), ("org.shop.DoorTest", 0, 1, 0)]


def test_the_launcher_of_junit_prints_a_tree() -> None:
    log = """
Failures (1):
  JUnit Jupiter:TillTest:addsTwo(int):[2] 4
    MethodSource [className = 'org.shop.TillTest', methodName = 'addsTwo', methodParameterTypes = 'int']
    => java.lang.AssertionError: expected 3
       org.junit.Assert.fail(Assert.java:87)
       org.shop.TillTest.addsTwo(TillTest.java:9)

[         3 tests skipped         ]
[       322 tests successful      ]
[         1 tests failed          ]
"""
    result = only(log)
    assert (result.suite, result.test) == ("org.shop.TillTest", "org.shop.TillTest.addsTwo[2] 4")
    assert (result.message, result.location) == ("java.lang.AssertionError: expected 3", "TillTest.java:9")
    assert counted(log) == [("", 322, 1, 3)]


GO = """
=== RUN   TestTill
--- FAIL: TestTill (0.01s)
    --- FAIL: TestTill/adds_two (0.00s)
        till_test.go:9: got 4, want 3
--- PASS: TestDoor (0.00s)
FAIL
FAIL	example.com/shop/till	0.015s
ok  	example.com/shop/door	0.002s
"""


def test_go_names_subtests_and_packages() -> None:
    assert names(GO) == [
        ("failed", "example.com/shop/till", "TestTill"),
        ("failed", "example.com/shop/till", "TestTill/adds_two"),
    ]
    assert report(GO).results[1].message == "got 4, want 3"
    assert report(GO).results[1].location == "till_test.go:9"
    assert counted(GO) == [("example.com/shop/till", 1, 2, 0)]
