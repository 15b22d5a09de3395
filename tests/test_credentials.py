from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardrails import credentials
from guardrails.credentials import KINDS, find, mask

RUN = "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv"
HEX = "0123456789abcdef" * 2
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0123456789\nabcd==\n-----END RSA PRIVATE KEY-----"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"

# The kind that is found, what stands before it, the credential, what stands after it.
FOUND = [
    *[
        ("api_key", "use ", key, " now")
        for key in (
            *(f"sk-{RUN}", f"sk-proj-{RUN}-_{RUN}", f"sk-ant-api03-{RUN}-_{RUN}AA", f"sk-or-v1-{HEX}", f"sk-lf-{HEX}"),
            *(f"AIza{RUN}-_0", f"ya29.{RUN}", f"GOCSPX-{RUN}", "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
            *(f"AKIAIOSFODNN7EXAMPLE,{AWS_SECRET}", f"ghp_{RUN}", f"gho_{RUN}", f"github_pat_{RUN}_{RUN}"),
            *(f"glpat-{RUN[:20]}", f"xoxb-123456789012-{RUN}", f"sk_live_{RUN}", f"rk_live_{RUN}", f"sk_test_{RUN}"),
            *(f"whsec_{RUN}", f"hf_{RUN}", f"SG.{RUN[:22]}.{RUN}", f"SK{HEX}", f"key-{HEX}", f"{HEX}-us12"),
            *(f"npm_{RUN}", f"pypi-AgEI{RUN}", f"dckr_pat_{RUN}", f"dop_v1_{HEX}", f"shpat_{HEX}", f"dapi{HEX}"),
            *(f"gsk_{RUN}", f"xai-{RUN}", f"pplx-{RUN}", f"r8_{RUN}", f"nvapi-{RUN}", f"lsv2_pt_{HEX}_0123456789"),
            *(f"123456789:AA{RUN}0", f"hvs.{RUN}", f"tskey-auth-{RUN}", f"sb_secret_{RUN}"),
        )
    ],
    ("api_key", "https://hooks.slack.com/services/", f"T00000000/B00000000/{RUN}", ""),
    ("token", "it is ", JWT, "."[:0]),
    ("token", "Send Bearer ", RUN, ""),
    ("private_key", "", PEM, "\nand more"),
    ("private_key", '{"private_key": "', PEM.replace("\n", "\\n"), '"}'),
    ("private_key", "cut off: ", PEM[:60], ""),
    ("authorization", "Authorization: ", "Bearer abcdef", "\nHost: example.com"),
    ("authorization", "Proxy-Authorization: ", "Basic dXNlcjpwYXNz", ""),
    ("authorization", "curl -H 'Authorization: ", "Bearer letmein", "' https://example.com"),
    ("authorization", '{"Authorization": "', f"Token {HEX}", '"}'),
    ("authorization", '{\\"Authorization\\": \\"', f"Bearer {RUN}", '\\"}'),
    ("authorization", "headers['authorization'] = f'", "Bearer abc123", "'"),
    ("authorization", '[("Authorization", "', "Bearer abc123", '")]'),
    ("authorization", "Authorization: ", HEX, ""),
    ("authorization", "Authorization: ", f'Digest username="m", nonce="{HEX}", response="{HEX}"', "\nHost: x"),
    ("authorization", "Authorization: ", f"AWS4-HMAC-SHA256 Credential=AKID/1/aws4_request, Signature={HEX}", ""),
    ("cookie", "Cookie: ", "session=abc123; theme=dark", ""),
    ("cookie", "Set-Cookie: ", "sid=31d4d96e407aad42; Path=/; HttpOnly", "\n"),
    ("cookie", '{"cookie": "', "a=b; c=d", '"}'),
    ("userinfo", "https://", "user:pass", "@host/path"),
    ("userinfo", "postgres://", "app:p@ss", "@db:5432/x"),
    ("userinfo", "redis://", ":p4ss", "@cache"),
    ("userinfo", "curl -u ", "admin:hunter2", " https://example.com"),
    ("seed_phrase", "Recovery phrase: ", SEED, "."),
    ("api_key", "X-Api-Key: ", "9f8e7d6c5b4a3210", ""),
    ("api_key", 'api_key: "', "A1b2C3d4", '"'),
    ("api_key", "aws_secret_access_key = ", AWS_SECRET, ""),
    ("api_key", "export OPENAI_KEY=", HEX, ""),
    ("api_key", "SECRET_KEY=", "django-insecure-8f3k2m1x9", ""),
    ("api_key", 'os.environ["API_KEY"] = "', "abc123abc123", '"'),
    ("api_key", "AccountKey=", f"{RUN}/{RUN}==", ";EndpointSuffix=core"),
    ("api_key", "my API key is ", "abcd1234efgh5678", ", thanks"),
    ("api_key", "APIキーは", "abcd1234efgh5678", "です。"),
    ("api_key", "ＡＰＩキー：", "ａｂｃｄ１２３４ｅｆｇｈ５６７８", ""),
    ("token", "--token ", "9f8e7d6c5b", ""),
    ("token", "?token=", "abc123def456", "&user=bob"),
    ("token", "アクセストークン「", "9f8e7d6c5b4a3210", "」"),
    ("secret", "client_secret='", "s3cr3t-value", "'"),
    ("password", "password=", "hunter2", ""),
    ("password", "password=", "letmein", ",user=bob"),
    ("password", "password=", "Tr0ub4dor,3&x", ""),
    ("password", "db_password = '", "s3cret", "'"),
    ("password", '"password": "', "correcthorse", '"'),
    ("password", '\\"password\\": \\"', "hunter2", '\\"'),
    ("password", "“password”: “", "hunter2", "”"),
    ("password", "Password: ", "P@ssw0rd!", ""),
    ("password", "**Password:** ", "hunter2", ""),
    ("password", "| password | ", "hunter2", " |"),
    ("password", "password: `", "hunter2", "`"),
    ("password", "<password>", "hunter2", "</password>"),
    ("password", "--password ", "letmein", " -x"),
    ("password", "The password for my router is ", "hunter2", "."),
    ("password", 'passphrase = "', "correct horse battery staple", '"'),
    ("password", "パスワードは", "hunter2", "です"),
    ("password", "パスワード：", "hunter2", ""),
    ("password", "暗証番号は", "1234", "です"),
    ("password", "PIN: ", "4821", ""),
]
CLEAN = [
    *("password: required", "password=None", "password=password", '{"password": "string"}', "password: ********"),
    *("password=<your-key>", "api_key=YOUR_API_KEY", 'api_key="your-api-key"', "OPENAI_API_KEY=sk-...", "sk-ant-..."),
    *('api_key=os.environ["OPENAI_API_KEY"]', "password = getpass.getpass()", "password=user_password, host=x"),
    *("password: str = None", "api_key: str | None", "max_tokens=4096", "token: 12", "token_type: bearer"),
    *("password: {{ .Values.password }}", "password: ${DB_PASSWORD}", "password=$PASSWORD", "PWD=/home/user/project"),
    *("Authorization: required", "Prior authorization: PA12345678 was approved.", "Authorization: Basic care is paid."),
    *("Authorization: Bearer <token>", "Authorization: Bearer {token}", "Authorization: Bearer $TOKEN"),
    *("bearer bonds and bearer US0378331005 shares", "A BRCA1 bearer", "Cookie: a small file", "cookies are baked"),
    *("The key to success is a 401k.", "Rule 10b5-1 is no secret: see 17 CFR 240.10b5-1.", "Secret: Form 10-K 2024"),
    *("The password is incorrect.", "Your password is case-sensitive, 12-character.", "Password: 8+ characters"),
    *("The password is SHA-256 hashed.", "def f(): pass\n\n@cached", "bypass: 12abc34", "Pass 2 of 3"),
    *(
        "パスワードは8文字以上です",
        "パスワードは2024年に変更しました",
        "パスワードはAES-256で暗号化",
        "APIキーを取得する",
    ),
    *(
        "トークンは4096です",
        "sk-learn-based-classification-pipeline",
        "hf_hub_download_and_cache",
        "risk-1234567890abcdef12",
    ),
    *(
        "123e4567-e89b-12d3-a456-426614174000",
        f"sha256:{HEX}{HEX}",
        f"commit {HEX}01234567",
        "iVBORw0KGgoAAAANSUhEUg==",
    ),
    *("Delgado v. Nationwide, 865 A.2d 498 (Pa. Super. 2004)", "15 U.S.C. § 78j(b)", "ISIN US0378331005, 1,234.50 EUR"),
    *(
        "https://example.com:8080/?x=a@b.c",
        "https://example.com/@user",
        "ssh://git@github.com/x",
        "postgres://$U:$P@host",
    ),
    *(
        "Token: 0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ),
    *("docker run -u 1000:1000 image", "Recovery phrase: the words that you write down when you first set up a wallet"),
]
PIECES = [
    *{f"{before}{credential}{after}" for _, before, credential, after in FOUND},
    *{before for _, before, _, _ in FOUND},
    *("hunter2", "a1b2c3d4", " = ", ": ", " ", "\n", '"', "'", "\\", "[", "]", "@", "://", "-", "\0", "\ud800", "日本"),
    *("[password]", "[api key]", "[authorization header]", "[password", "api key]", "token is ", "4111 1111 1111 1111"),
]
TEXTS = st.one_of(
    st.text(), st.text(st.characters(codec=None, categories=None)), st.lists(st.sampled_from(PIECES)).map("".join)
)


@pytest.mark.parametrize(("kind", "before", "credential", "after"), FOUND)
def test_a_credential_is_found_whole(kind, before, credential, after):
    """What a person would take for a credential is found, of its kind and to its ends, and nothing else is."""
    assert [(item.kind, item.text) for item in find(before + credential + after)] == [(kind, credential)]
    assert mask(before + credential + after) == f"{before}{credentials.masked(kind)}{after}"


@pytest.mark.parametrize("text", CLEAN)
def test_what_discloses_nothing_is_left(text):
    """Words, placeholders, code, identifiers, digests and citations are no credentials."""
    assert find(text) == ()


@settings(deadline=None)
@given(TEXTS)
def test_any_text_is_searched(text):
    """Places slice back to the text found, in order and without overlap, whatever the text."""
    end = 0
    for item in find(text):
        assert item.kind in KINDS
        assert end <= item.start < item.end
        assert item.text == text[item.start : item.end]
        end = item.end


@settings(deadline=None, max_examples=500)
@given(TEXTS)
@example("password=a1b2c3 = d4e5f6 = g7h8i9")
@example("password=[password]hunter2")
@example("Authorization: [authorization header] Bearer abc123")
def test_a_masked_text_has_nothing_to_mask(text):
    """After masking no credential is left to find, and masking again changes nothing."""
    masked = mask(text)
    assert find(masked) == ()
    assert mask(masked) == masked


@settings(deadline=None, max_examples=500)
@given(TEXTS)
def test_the_quick_look_misses_nothing(text):
    """A text that the one sweep passes over holds nothing that the patterns would find."""
    if not find(text):
        folded = text.translate(credentials._FOLDS)
        assert list(credentials._joined(text, credentials._spans(folded))) == []


@pytest.mark.parametrize(("kind", "before", "credential", "after"), FOUND)
def test_neighbours_do_not_hide_each_other(kind, before, credential, after):
    """Of two credentials on lines of their own, neither stays."""
    for other, lead, second, tail in FOUND:
        text = f"{before}{credential}{after}\n\n{lead}{second}{tail}"
        assert mask(text) == f"{mask(before + credential + after)}\n\n{mask(lead + second + tail)}", (kind, other)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "sk-",
            "eyJaaaaaaaaa.",
            "password=",
            'password:"',
            "password=a1b2c3 = ",
            "token is ",
            "://",
            "://a:",
            "-",
        ),
        *(
            "://a:b@c",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA",
            "Authorization: ",
            "\\",
            "日",
        ),
        *(
            'Authorization: Digest a="',
            "Cookie: a=b; ",
            "curl -u a:",
            "seed phrase legal winner ",
            "パスワード「",
            "legal ",
        ),
        *("password for a", "passphrase 'a ", "[password] = ", "xoxb-", "8Q~", "0123456789abcdef", "bearer ", "\ud800"),
    ],
)
def test_hostile_texts_take_linear_time(piece):
    """Eight times the text takes about eight times as long, not sixty-four."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        spans = []
        for _ in range(3):
            start = time.process_time()
            find(text)
            spans.append(time.process_time() - start)
        return min(spans)

    assert seconds(160_000) < 24 * seconds(20_000) + 0.02
