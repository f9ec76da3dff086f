"""Secrets go, everything else stays: the examples of the catalogue, and properties over any text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.redaction import Rule, read_rules, redact, redact_json
from tests.builders import SEEDED, stamped

RULES = read_rules().rules
BY_ID = {rule.id: rule for rule in RULES}
EXAMPLES = [(rule.id, text) for rule in RULES for text in rule.examples]
HARMLESS = [(rule.id, text) for rule in RULES for text in rule.harmless]
KEY = [
    "-----BEGIN " + "RSA PRIVATE KEY-----",
    "MIIEpAIBAAKCAQEA0123456789",
    "abcdef==",
    "-----END RSA PRIVATE KEY-----",
]


def secret_of(rule: Rule, text: str) -> str:
    found = rule.pattern.search(text.encode())
    assert found is not None
    return found["secret"].decode()


@pytest.mark.parametrize(("rule_id", "text"), EXAMPLES)
def test_every_example_is_redacted_and_nothing_outside_its_secret_changes(rule_id: str, text: str) -> None:
    secret = secret_of(BY_ID[rule_id], text)
    ends = "\n" * secret.count("\n")
    assert redact(text.encode()) == (text.replace(secret, f"[redacted:{rule_id}]{ends}").encode(), 1)


@pytest.mark.parametrize(("rule_id", "text"), HARMLESS)
def test_no_harmless_example_is_touched(rule_id: str, text: str) -> None:
    assert redact(text.encode()) == (text.encode(), 0)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_has_examples_of_both_kinds_and_a_literal_that_occurs_in_each(rule: Rule) -> None:
    assert rule.examples
    assert rule.harmless
    for text in rule.examples:
        assert any(literal in text.encode() for literal in rule.literals)


@pytest.mark.parametrize(
    "secret",
    [
        "glpat-" + "a1B2_" * 4,
        "glpat-" + "a1B2_" * 6 + ".01.0a1b2c3d4",
        "hf_" + "a1" * 17,
        "sk_live_" + "a1B2" * 6,
        "sk-proj-" + "a1B2_-" * 8,
        "sk-ant-api03-" + "a1B2_-" * 15,
        "SG." + "a1" * 11 + "." + "b" * 43,
    ],
)
def test_tokens_of_other_services_are_known(secret: str) -> None:
    redacted, n_redacted = redact(f"TOKEN={secret} used".encode())
    assert (secret[:6].encode() in redacted, redacted.endswith(b"] used"), n_redacted) == (False, True, 1)


def test_rules_have_different_names_and_a_version() -> None:
    assert len(BY_ID) == len(RULES)
    assert read_rules().version >= 1


def test_a_private_key_over_stamped_lines_leaves_its_line_ends() -> None:
    text = stamped(["cat key.pem", *KEY, "done"])
    redacted, n_redacted = redact(text.encode())
    lines = redacted.decode().split("\n")
    assert n_redacted == 1
    assert len(lines) == len(text.split("\n"))
    assert lines[1].endswith("-----BEGIN " + "RSA PRIVATE KEY-----[redacted:private-key]")
    assert lines[2:5] == ["", "", "-----END RSA PRIVATE KEY-----"]
    assert lines[5] == text.split("\n")[5]


def test_a_private_key_with_crlf_is_redacted_too() -> None:
    redacted, n_redacted = redact("\r\n".join(KEY).encode())
    assert (b"MIIE" in redacted, redacted.count(b"\n"), n_redacted) == (False, 3, 1)


def test_a_beginning_without_an_end_takes_nothing_with_it() -> None:
    text = "\n".join([KEY[0], "cut off", *KEY, "after"]).encode()
    redacted, n_redacted = redact(text)
    assert (n_redacted, redacted.split(b"\n")[1], redacted.split(b"\n")[-1]) == (1, b"cut off", b"after")


def test_two_secrets_on_one_line_are_both_counted() -> None:
    token = "gh" + "p_" + "a" * 36
    assert redact(f"{token} and {token}".encode()) == (b"[redacted:github-token] and [redacted:github-token]", 2)


def test_a_line_end_before_the_secret_stays_one_line_end() -> None:
    text = "aws_secret_access_key =\n" + "a" * 40 + "\n"
    assert redact(text.encode()) == (b"aws_secret_access_key =\n[redacted:aws-secret-key]\n", 1)


def test_a_secret_glued_to_another_is_found_when_that_one_is_gone() -> None:
    text = "AWS_SECRET_ACCESS_KEY=" + "a" * 40 + "xox" + "b-1234567890-abcdef"
    assert redact(text.encode()) == (b"AWS_SECRET_ACCESS_KEY=[redacted:aws-secret-key][redacted:slack-token]", 2)


def test_a_token_in_the_place_of_a_user_is_replaced_once() -> None:
    address = "https://" + "gh" + "p_" + "a" * 36 + "@github.com/octo/kv"
    assert redact(address.encode()) == (b"https://[redacted:github-token]@github.com/octo/kv", 1)


def test_an_image_pinned_by_digest_is_no_password() -> None:
    line = b"##[group]Run docker://alpine:3.20@sha256:" + b"0" * 64
    assert redact(line) == (line, 0)


def test_in_json_every_text_is_looked_at_by_itself() -> None:
    secret = "AK" + "IA" + "ABCDEFGHIJKLMNOP"
    body = {"n": 1, "ok": None, "message": f"a key:\n{secret}\n", "lines": [secret, {"deep": secret}, True, 2.5]}
    hidden = "[redacted:aws-access-key]"
    assert redact_json(body) == (
        {"n": 1, "ok": None, "message": f"a key:\n{hidden}\n", "lines": [hidden, {"deep": hidden}, True, 2.5]},
        3,
    )


def test_a_key_that_begins_in_one_text_and_ends_in_another_leaves_json_whole() -> None:
    body = {"a": [f"{KEY[0]} and much more text"], "b": KEY[3]}
    assert redact_json(body) == (body, 0)


ANY_TEXT = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from([text for _, text in EXAMPLES + HARMLESS]),
        st.sampled_from(["\n", "\r\n", "-----BEGIN ", "PRIVATE KEY-----", "://", ":", "@", "eyJ", "sig=", *KEY]),
    ),
    max_size=12,
).map("".join)


@SEEDED
@given(ANY_TEXT)
def test_the_number_of_lines_never_changes(text: str) -> None:
    assert redact(text.encode())[0].count(b"\n") == text.count("\n")


@SEEDED
@given(ANY_TEXT)
def test_what_was_redacted_once_has_nothing_left_to_redact(text: str) -> None:
    once, _ = redact(text.encode())
    assert redact(once) == (once, 0)


@SEEDED
@given(ANY_TEXT)
def test_what_stays_stands_in_its_old_order(text: str) -> None:
    kept = re.split(rb"\[redacted:[a-z-]+\]\n*", redact(text.encode())[0])
    place = 0
    for piece in kept:
        place = text.encode().index(piece, place) + len(piece)


@SEEDED
@given(st.binary(max_size=200))
def test_any_bytes_can_be_redacted(body: bytes) -> None:
    assert redact(body)[0].count(b"\n") == body.count(b"\n")


@pytest.mark.parametrize(
    "piece",
    [
        b"glpat-",
        b"hf_",
        b"sk_live_",
        b"sk-ant-",
        b"SG.",
        b"eyJ",
        b"_eyJaaaaaaaa.eyJ",
        b"-----BEGIN " + b"PRIVATE KEY-----\nabc\n",
        b"://a:",
        b"github_pat_",
        b"-a",
        b"cio",
    ],
    ids=repr,
)
def test_a_hostile_line_of_a_megabyte_is_read_without_going_back(piece: bytes) -> None:
    # A pattern that tried every start to the end of the line would take hours here, not a moment.
    body = b"-----BEGIN PRIVATE KEY-----" + piece * (1_000_000 // len(piece))
    assert redact(body)[0].count(b"\n") == body.count(b"\n")
