"""Secrets go, everything else stays: the examples of the catalogue, and properties over any text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kotaci.redaction import LONGEST_BYTES, Rule, read_rules, redact, redact_json, redact_parts
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


# -- in parts -------------------------------------------------------------------------------------------------


def in_parts(text: bytes, *, part_bytes: int, chunk: int = 0) -> tuple[bytes, int, int]:
    """Return the joined parts, how many secrets were in them, and how many parts there were."""
    chunks = [text[start : start + chunk] for start in range(0, len(text), chunk)] if chunk else [text]
    parts = list(redact_parts(chunks, part_bytes=part_bytes))
    return b"".join(body for body, _ in parts), sum(n for _, n in parts), len(parts)


AWKWARD = st.sampled_from(
    [
        "\n",
        "\n",
        "\n" * 4,
        " ",
        '"',
        "-----",
        "-----END ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nabcdefghijklmnopqrstuvwxyz\n-----END PRIVATE KEY-----",
        "glpat-" + "a" * 20,
        "sk-proj-" + "-" * 24,
        "aws_secret_access_key",
        "AWS_SECRET_ACCESS_KEY=",
        "=",
        "a" * 40,
        "://bot:hunter22@",
        *KEY,
    ]
)


@SEEDED
@given(st.lists(AWKWARD, max_size=16).map("".join) | ANY_TEXT, st.integers(1, 90), st.integers(1, 70))
def test_parts_are_what_the_whole_is(text: str, part_bytes: int, chunk: int) -> None:
    body, n_redacted, _ = in_parts(text.encode(), part_bytes=part_bytes, chunk=chunk)
    assert (body, n_redacted) == redact(text.encode())


@pytest.mark.parametrize("part_bytes", [64, 1000, 4096, 30_000])
def test_a_key_of_many_lines_is_found_wherever_the_parts_end(part_bytes: int) -> None:
    key = "\n".join([KEY[0], *(["a1B2" * 16] * 290), KEY[3]])
    text = stamped(["before"] * 300 + [key] + ["after"] * 300).encode()
    body, n_redacted, n_parts = in_parts(text, part_bytes=part_bytes)
    assert (body, n_redacted) == redact(text)
    assert n_redacted == 1
    assert n_parts > 1


def test_a_secret_that_shrinks_brings_an_end_within_a_keys_reach() -> None:
    # The key's end is 100,000 bytes away until the token between them is gone.
    lines = [KEY[0], "sk_live_" + "a" * 100_000, *(["line of a key"] * 99), KEY[3], "after", ""]
    text = "\n".join(lines).encode() * 3
    body, n_redacted, n_parts = in_parts(text, part_bytes=1000)
    assert (body, n_redacted) == redact(text)
    assert (n_redacted, n_parts > 1) == (6, True)


def test_a_key_without_an_end_does_not_hold_the_rest_of_the_log() -> None:
    text = f"{KEY[0]}\n".encode() + b"a line of a log that goes on\n" * 100_000
    parts = list(redact_parts([text], part_bytes=200_000))
    assert max(len(body) for body, _ in parts) < 600_000
    assert b"".join(body for body, _ in parts) == text


def test_a_line_without_an_end_is_cut_before_it_fills_the_memory() -> None:
    n_held = [len(body) for body, _ in redact_parts((b"x" * 2**20 for _ in range(130)), part_bytes=2**22)]
    assert max(n_held) <= LONGEST_BYTES
    assert sum(n_held) == 130 * 2**20


@pytest.mark.parametrize(("rule_id", "text"), EXAMPLES)
def test_only_two_shapes_go_over_line_ends(rule_id: str, text: str) -> None:
    # `redact_parts` knows them; a rule that does it too must be made known there.
    for place in range(1, len(text)):
        torn = text[:place].encode() + b"\n" + text[place:].encode()
        found = BY_ID[rule_id].pattern.search(torn)
        if found is not None and b"\n" in found[0]:
            assert rule_id in {"private-key", "aws-secret-key"}
