"""What looks like a secret is found by its name or its form, and nothing else is."""

from __future__ import annotations

import json
import re

import pytest
from engine.model.secrets import (
    HIDDEN,
    MASK,
    conceal,
    conceal_in_code,
    conceal_values,
    find_secrets,
    is_secret_name,
    mask,
    redact,
)
from hypothesis import given
from hypothesis import strategies as st

VALUE = "hunter2-" + "Zq9" * 6
# Put together here, so that no scanner takes the file for a leak.
FORMS = [
    "sk-" + "a1" * 12, "ghp_" + "a1" * 18, "github_pat_" + "a1" * 18, "glpat-" + "a1" * 10, "npm_" + "a1" * 18, "hf_" + "a1" * 15,
    "xoxb-" + "1" * 12, "AKIA" + "A1" * 8, "AIza" + "a1" * 18, "eyJ" + "a1" * 8 + "." + "b2" * 8 + "." + "c3" * 8,
    "-----BEGIN " + "PRIVATE KEY-----\nMIIabc\n-----END " + "PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "password={}", "PASSWORD: {}", 'passwd = "{}"', "the passphrase: '{}' is long", "AWS_SECRET_ACCESS_KEY={}", "x-api-key: {}",
        '{{"token": "{}"}}', "{{'client_secret': '{}'}}", '{{\\"token\\": \\"{}\\"}}', "GET /x?access_token={}&y=1", "run --api-key {} now",
        "--token={}", "Authorization: Bearer {}", "authorization=Basic {}", "postgres://bob:{}@db/x", "url = redis://:{}@db/0", "cookie => {}", 'secret="{} cut off',
    ],
)  # fmt: skip
def test_a_name_before_it_gives_it_away(text: str) -> None:
    text = text.format(VALUE.replace("-", ""))
    assert VALUE.replace("-", "") not in conceal(text)
    assert HIDDEN in conceal(text)


@pytest.mark.parametrize("secret", FORMS)
def test_its_form_gives_it_away(secret: str) -> None:
    assert conceal(f"used {secret}\nthen") == f"used {HIDDEN}\nthen"


@pytest.mark.parametrize(
    "text",
    ["3 tokens used", "max_tokens=4096", "the task is risky, ask twice", "https://host/path", "a basic test", "pool coder: 5 → 7", "keys: a, b"],
)
def test_other_texts_stay(text: str) -> None:
    assert conceal(text) == text


def test_names() -> None:
    assert all(map(is_secret_name, ("token", "GITHUB_TOKEN", "apiKey", "api-key", "db_password", "Set-Cookie", "AWS_SECRET_ACCESS_KEY")))
    assert not any(map(is_secret_name, ("tokens", "max_tokens", "name", "pool", "key")))


def test_values_by_key_and_by_form() -> None:
    given = {"api_key": VALUE, "env": {"TOKEN": VALUE, "HOME": "x"}, "argv": ["run", f"--password={VALUE}"], "n": 3, "secret": None, "cookie": ""}
    kept = {"api_key": HIDDEN, "env": {"TOKEN": HIDDEN, "HOME": "x"}, "argv": ["run", f"--password={HIDDEN}"], "n": 3, "secret": None, "cookie": ""}
    assert redact(given) == kept


@given(st.text(), st.sampled_from([f"token={VALUE}", f"Bearer {VALUE}", FORMS[0]]), st.text())
def test_a_mask_keeps_the_width(before: str, secret: str, after: str) -> None:
    text = f"{before} {secret} {after}"
    masked = mask(text)
    assert len(masked) == len(text)
    assert MASK in masked
    assert VALUE not in masked and FORMS[0] not in masked


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=2_000))
def test_places_are_in_order_and_inside(text: str) -> None:
    places = find_secrets(text)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] < other[0] for one, other in zip(places, places[1:], strict=False))


def test_long_texts_cost_little() -> None:
    """No pattern looks at one place more than a few times, whatever is written there."""
    for text in ("token" * 20_000, '"' * 100_000, "secret=\\" * 10_000, "-----BEGIN " * 9_000, "://a:" * 20_000, "eyJ" + "a" * 100_000):
        conceal(text)


def test_a_diff_hides_values_and_no_code() -> None:
    word = "MIIE" + "a1" * 20
    begin, end = "-----BEGIN RSA " + "PRIVATE KEY-----", "-----END RSA " + "PRIVATE KEY-----"
    for form in FORMS[:-1]:
        assert conceal_in_code(f"+key = '{form}'; run()\n+more()") == f"+key = '{HIDDEN}'; run()\n+more()"
    for named in ('+password = "{}"', "-api_key='{}'", "+SECRET={}", "+  secret: {}", "+connect(url, password='{}')", ' "token": "{}",'):
        assert conceal_in_code(named.format("hunter2hunter2")) == named.format(HIDDEN)
    for code in (
        "+password = '$(evil)'", "+secret = \"x; rm -rf /\"", "+credential_helper = '/tmp/evil'", "+token_maker = 'evil.make'", "+token = request.user2.token", "+secret=evil1()", "+password=password",
        "+token: str, api_key: str | None = None", "+token_count = 17000000",
    ):  # fmt: skip
        assert conceal_in_code(code) == code
    for code in ("+token = evil(1)", "+password = os.environ['X']", "+url = 'http://a:$(evil)@host'", f"+x = '{begin}'\n+evil()\n+more()", " plain"):
        assert conceal_in_code(code) == code
    assert conceal_in_code(f"+{begin}\n+{word}\n+{word}\n+{end}\n+{word}") == f"+{begin}\n+{HIDDEN}\n+{HIDDEN}\n+{end}\n+{word}"
    assert conceal_in_code(f'+k = "{begin}\\n{word}\\n{end}"') == f'+k = "{begin}\\{HIDDEN}\\n{end}"', "the n of the escape goes with the word"


def test_values_hide_texts_alone() -> None:
    kept = {"token_count": 7, "max_tokens": 3, "token": None, "deep": [{"api_key": VALUE, "text": f"password={VALUE}"}]}
    assert conceal_values(kept) == {**kept, "deep": [{"api_key": HIDDEN, "text": f"password={HIDDEN}"}]}


def test_json_stays_json_when_redacted() -> None:
    assert json.loads(json.dumps(redact({"password": VALUE}))) == {"password": HIDDEN}
    assert not re.search(r"[\r\n]", HIDDEN)
