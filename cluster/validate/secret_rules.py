"""Secrets written in clear, in any kind of file. No finding repeats one."""

import base64
import binascii
import re
from collections.abc import Iterator

from cluster.validate.finding import Problem, problem
from cluster.validate.tree import Item, TreeError, documents

# Each of these is a secret wherever it stands.
_PATTERNS = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\"private_key\""),
    "a token of GitHub": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{20,})"),
    "a token of Hugging Face": re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    "a token of Google": re.compile(r"\b(AIza[0-9A-Za-z_-]{30,}|ya29\.[0-9A-Za-z_-]{10,})"),
    "a token of Slack": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}"),
    "a token of another service": re.compile(r"\b(sk-[A-Za-z0-9_-]{20,}|glpat-[\w-]{15,}|dapi[0-9a-f]{32})"),
    "a key of Weights & Biases": re.compile(r"\bwandb\s+login\s+(?:--?\S+\s+)*[0-9a-f]{40}\b"),
    "an AWS secret key": re.compile(
        r"(?<![\w/+=.-])(?=[\w/+]*[A-Z])(?=[\w/+]*[a-z])(?=[\w/+]*\d)[A-Za-z0-9/+]{40}(?![\w/+=.-])"
    ),
    "a key of an Azure account": re.compile(r"(AccountKey|SharedAccessSignature)=[A-Za-z0-9+/%]{16,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.[\w-]{5,}\."),
    "a password in an address": re.compile(r"://[^\s/:@$]*:(?!\$)[^\s/:@]+@"),
    "a token in an address": re.compile(r"https?://(?!\$)[A-Za-z0-9_-]{20,}@"),
    "a signature of Azure": re.compile(r"[?&]sig=[A-Za-z0-9+/%]{20,}"),
    "a token in a header": re.compile(r"\b(?:Bearer|Basic)\s+(?!\$)[A-Za-z0-9._~+/=-]{12,}"),
    "a password of a command": re.compile(
        r"\bsshpass\s+-p\s*(?!['\"]?\$)\S+|\bdocker\s+login\b[^;&|]*\s-p[=\s]*(?!['\"]?\$)\S+"
        r"|\bcurl\b[^;&|]*\s(?:-u|--user)[=\s]*['\"]?[^\s:$'\"]+:(?!\$)\S+"
        r"|\becho\s+(?!['\"]?\$)\S+\s*\|[^;&|]*--password-stdin"
    ),
    "a key given to `aws configure`": re.compile(
        r"\baws\s+configure\s+set\s+\S*(?:secret_access_key|session_token)\s+(?!['\"]?\$)\S+"
    ),
    "Ray's token": re.compile(r"\b(?:echo|printf)\s(?:[^;&|$]*\s)?['\"]?[0-9A-Za-z]{12,}['\"]?\s*>+\s*\S*auth_token\b"),
}
# Called so in environments and shells.
_SHELL_ONLY = r"\w*_(?:pass|pwd|pat|key_base)|(?:\w*_)?(?:openai|anthropic|wandb|auth|signing|encryption)_key"
_WORD = (
    r"(?:token|passwd|password|passphrase|secret|credentials?|api_?key|access_?key(?:_?id)?|private_?key|account_?key)"
)
_NAME = re.compile(rf"(?:^|[_.-]|(?<=[a-z])(?=[A-Z])){_WORD}s?(?:_?value)?$", re.IGNORECASE)
# Keys that hold such a word and hold no secret: fields of clouds and of Kubernetes, places of files, switches.
_HARMLESS = re.compile(
    r"(HttpTokens|ClientToken|(Name|Path|File|Dir|Ref|Env|Id|Mode|Type|Enabled|Provider|Version|Seconds|Class)s?"
    r"|[_-](name|path|file|dir|ref|env|mode|type|enabled|arn|uri|url))$",
)
_HARMLESS_WHERE = {"ssh_private_key", "ssh_public_key", "publicKey", "imagePullSecrets"}
# FOO_TOKEN=value and --foo-token value in a shell command.
_ASSIGNED = re.compile(
    rf"(?:--(?P<option>[\w-]*{_WORD})[=\s]+|(?<![\w$-])(?P<variable>\w*{_WORD}|{_SHELL_ONLY})=)(?P<value>'[^']*'|\"[^\"]*\"|[^\s;&|'\"]+)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"^['\"]?(\$|\{\{|<|~|/|\./|arn:|projects/|secretKeyRef|ssm:|vault:|env:|file:|s3:|gs:|az:)|^['\"]?(?:\*+|x+|\.\.\.)['\"]?$",
    re.IGNORECASE,
)

# Lines of one text may be folded. Nothing shorter holds a secret with its name.
_BASE64 = re.compile(r"(?<![\w+/=-])(?:[A-Za-z0-9+/_-]{24,}\s+)*[A-Za-z0-9+/_-]{24,}={0,2}(?![\w+/=-])")


def secret(root: Item) -> Iterator[Problem]:
    """Nothing secret in clear: files are copied, mailed and committed."""
    for item in root.walk():
        yield from secret_here(root, item)


def secret_here(root: Item, item: Item) -> Iterator[Problem]:
    """What is secret in this value alone, or in what it encodes; `root`: the document that it stands in."""
    if isinstance(item.value, str | int) and not isinstance(item.value, bool):
        found = _pattern(str(item.value)) or _named(root, item) or _assigned(item)
        if found:
            text = f"{found} in clear: keep it in the cloud's own store or the environment, and name it here"
            yield problem(item, text)
        elif isinstance(item.value, str) and (found := _encoded(item.value)):
            text = f"base64 hides nothing: {found} stands in it; keep it in the cloud's own store, and name it here"
            yield problem(item, text)


def _encoded(text: str, depth: int = 2) -> str | None:
    """What is secret in texts that stand in base64 in this one, and in base64 in those."""
    for match in _BASE64.finditer(text):
        for word in dict.fromkeys([match[0], *match[0].split()]):  # one text in lines, or several
            plain = _decoded(word)
            if plain and (found := _in_plain(plain) or (_encoded(plain, depth - 1) if depth > 1 else None)):
                return found
    # Cloud-init's files are YAML, encoded or not.
    return _in_plain(text) if text.startswith("#cloud-config") else None


def _decoded(word: str) -> str | None:
    word = re.sub(r"\s", "", word).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        plain = base64.b64decode(word + "=" * (-len(word) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return plain if plain.replace("\n", "").replace("\t", "").replace("\r", "").isprintable() else None


def _in_plain(text: str) -> str | None:
    """What is secret in a text, which may be YAML."""
    if found := _pattern(text) or _assigned(Item(text, 1)):
        return found
    try:
        roots = documents(text)
    except TreeError:
        return None
    items = [(root, item) for root in roots for item in root.walk() if isinstance(item.value, str | int)]
    return next((found for root, item in items if (found := _named(root, item))), None)


def hide(text: str) -> str:
    """A text without what looks like a secret in it."""
    for name, pattern in _PATTERNS.items():
        text = pattern.sub(f"({name})", text)
    return text


def _pattern(text: str) -> str | None:
    return next((name for name, pattern in _PATTERNS.items() if pattern.search(text)), None)


def _named(root: Item, item: Item) -> str | None:
    """The value of a key that is called token, password or secret; Kubernetes writes the name beside the value."""
    name = str(item.path[-1]) if item.path else ""
    if name == "value":  # Kubernetes calls it name, Google's metadata key
        beside = root.nearest(item.path[:-1])
        name = beside.text("name") or beside.text("key")
    if isinstance(item.value, int) and not name.lower().endswith(("password", "token", "passwd")):
        return None
    within = {str(part) for part in item.path} & {"stringData", "aws_credentials", "gcp_credentials"}
    named = _NAME.search(name) and name not in _HARMLESS_WHERE and not _HARMLESS.search(name)
    if not (named or (within and name not in ("type", "credentials_type"))) or name in _HARMLESS_WHERE:
        return None
    value = str(item.value).strip()
    return f"the value of {name!r}" if value and not _REFERENCE.search(value) else None


def _assigned(item: Item) -> str | None:
    """A shell command that sets or passes one: FOO_TOKEN=..., --password ..."""
    for match in _ASSIGNED.finditer(str(item.value)):
        name, value = match["option"] or match["variable"], match["value"]
        if not _REFERENCE.search(value) and value.strip("'\"") and not value.startswith("-") and "`" not in value:
            return f"the value of {name!r}"
    return None
