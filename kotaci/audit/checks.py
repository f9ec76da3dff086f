"""Which commands check the code, and which publish it: what a gate guards, and what it keeps back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kotaci.audit.project import Place, Project
from kotaci.audit.shell import Command
from kotaci.workflows import WorkflowFile, WorkflowJob, WorkflowStep


class Kind(StrEnum):
    """What a check looks at."""

    TEST = "test"
    LINT = "lint"
    BUILD = "build"


@dataclass(frozen=True)
class Check:
    """A command that fails where the code is wrong: as people call it, and what it looks at."""

    name: str
    kind: Kind


_RUNNERS = {"time", "nice", "sudo", "xvfb-run", "command", "exec", "npx", "bunx", "timeout", "env", "retry"}
_RUNNERS_OF_TWO = {
    "uv run",
    "poetry run",
    "pipenv run",
    "hatch run",
    "pnpm exec",
    "yarn exec",
    "bundle exec",
    "uv tool",
}
_PYTHONS = re.compile(r"python[\d.]*|py|pypy\d*")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*")
_VALUE_FLAGS = {"--manifest-path", "--config", "-Z", "--color", "-C", "--signal", "-k", "-s", "-n", "--with", "--extra"}

_CARGO = {
    "test": Kind.TEST,
    "t": Kind.TEST,
    "nextest": Kind.TEST,
    "tarpaulin": Kind.TEST,
    "insta": Kind.TEST,
    "careful": Kind.TEST,
    "clippy": Kind.LINT,
    "audit": Kind.LINT,
    "deny": Kind.LINT,
    "semver-checks": Kind.LINT,
    "machete": Kind.LINT,
    "udeps": Kind.LINT,
    "shear": Kind.LINT,
    "vet": Kind.LINT,
    "check-external-types": Kind.LINT,
    "build": Kind.BUILD,
    "b": Kind.BUILD,
    "check": Kind.BUILD,
    "c": Kind.BUILD,
    "doc": Kind.BUILD,
    "rustdoc": Kind.BUILD,
}
_PROGRAMS = {
    **dict.fromkeys(("pytest", "tox", "nox", "jest", "vitest", "mocha", "playwright", "ctest", "rspec"), Kind.TEST),
    **dict.fromkeys(("mypy", "pyright", "ty", "flake8", "pylint", "bandit", "ruff", "pip-audit"), Kind.LINT),
    **dict.fromkeys(("eslint", "tsc", "stylelint", "biome", "oxlint", "golangci-lint", "staticcheck"), Kind.LINT),
    **dict.fromkeys(("shellcheck", "hadolint", "yamllint", "actionlint", "zizmor", "typos", "codespell"), Kind.LINT),
    **dict.fromkeys(("markdownlint", "taplo", "cargo-deny", "cargo-audit", "lychee", "semgrep"), Kind.LINT),
}
_ONLY_WITH = {
    "black": ("--check", "--diff"),
    "isort": ("--check", "--check-only", "-c", "--diff"),
    "prettier": ("--check", "-c"),
    "rustfmt": ("--check",),
    "cargo fmt": ("--check",),
    "ruff format": ("--check", "--diff"),
}
"""Formatters, and the words that make a check of them."""
_NO_CHECK = {("--version",), ("-V",), ("--help",), ("install",), ("cache",), ("clean",), ("server",)}
_RECIPES = {"make", "just", "npm", "yarn", "pnpm", "bun", "task", "mage"}
_RECIPE = re.compile(
    r"(?:unit|integration|e2e)?[-_:]?(?:tests?|lint|check|clippy|typecheck|type-check|verify|ci)(?:[-_:].*)?"
)
_OTHER_TESTS = {("go", "test"), ("gradle", "test"), ("gradlew", "test"), ("mvn", "test"), ("mvn", "verify")} | {
    ("dotnet", "test"),
    ("deno", "test"),
    ("bazel", "test"),
    ("swift", "test"),
    ("mix", "test"),
    ("zig", "test"),
}


def bare_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words without what only starts the program: `time`, `timeout 60`, `uv run`, `python -m`, `FOO=1`."""
    rest = list(words)
    while rest:
        name = rest[0].rpartition("/")[2]
        if name in _RUNNERS or " ".join((name, *rest[1:2])) in _RUNNERS_OF_TWO:
            rest = rest[1 if name in _RUNNERS else 2 :]
            rest = _without_options(rest)
            if name == "timeout" and rest:
                rest = rest[1:]
        elif _ASSIGNED.fullmatch(rest[0]):
            rest = rest[1:]
        elif _PYTHONS.fullmatch(name) and "-m" in rest[1:4]:
            rest = rest[rest.index("-m") + 1 :]
        else:
            break
    return (rest[0].rpartition("/")[2], *rest[1:]) if rest else ()


def _without_options(words: list[str]) -> list[str]:
    rest = words
    while rest and rest[0].startswith("-"):
        rest = rest[2 if rest[0] in _VALUE_FLAGS else 1 :]
    return rest


def cargo_words(words: Sequence[str]) -> tuple[str, ...]:
    """Return a cargo command from its subcommand on: without `+nightly`, leading options, and what only drives it
    (`hack`, `miri`, `llvm-cov`, `nextest run`); empty where it is none."""
    bare = bare_words(words)
    if not bare or bare[0] not in {"cargo", "cross"}:
        return ()
    rest = _without_options([word for word in bare[1:] if not word.startswith("+")])
    if rest[:1] in (["hack"], ["miri"], ["careful"], ["zigbuild"]):
        inner = next((at for at, word in enumerate(rest[1:], 1) if word in _CARGO), None)
        return tuple(rest[inner:]) if inner is not None else ()
    if rest[:1] == ["llvm-cov"]:
        if rest[1:2] and rest[1] in {"report", "clean", "show-env"}:
            return ()
        return tuple(rest[1:]) if rest[1:2] in (["test"], ["nextest"]) else ("test", *rest[1:])
    return tuple(rest)


def check_of(command: Command) -> Check | None:
    """Return what the command checks; None where it checks nothing that is known here."""
    bare = bare_words(command.words)
    if not bare or bare[1:2] in _NO_CHECK:
        return None
    cargo = cargo_words(command.words)
    if cargo:
        check = _cargo_check(cargo)
        return Check("cargo llvm-cov", Kind.TEST) if check is not None and "llvm-cov" in bare[1:3] else check
    name = bare[0]
    pair = f"{name} {bare[1]}" if bare[1:] else name
    for formatter in (pair, name):
        if formatter in _ONLY_WITH:
            return Check(formatter, Kind.LINT) if command.has(*_ONLY_WITH[formatter]) else None
    if name in _PROGRAMS:
        return Check(pair if name in {"ruff", "biome", "ty"} else name, _PROGRAMS[name])
    if (name.removesuffix(".bat"), *bare[1:2]) in _OTHER_TESTS:
        return Check(pair, Kind.TEST)
    if name in _RECIPES:
        return _recipe_check(name, bare[1:])
    return None


def _cargo_check(words: Sequence[str]) -> Check | None:
    name = words[0]
    flags = [word for word in words[1:] if word != "--"]
    if name == "fmt":
        return Check("cargo fmt --check", Kind.LINT) if "--check" in flags else None
    if name not in _CARGO or {"--version", "--help", "-V"} & set(flags):
        return None
    if name == "nextest" and words[1:2] not in (("run",), ("r",)):
        return None
    if name == "insta" and (words[1:2] != ("test",) or "--accept" in flags):
        return None
    shown = {"nextest": "nextest run", "insta": "insta test", "t": "test", "b": "build", "c": "check"}.get(name, name)
    if name in {"test", "t"} and "--no-run" in flags:
        return Check("cargo test --no-run", Kind.BUILD)
    return Check(f"cargo {shown}", _CARGO[name])


def _recipe_check(program: str, words: Sequence[str]) -> Check | None:
    rest = [word for word in words if not word.startswith("-")]
    if program in {"npm", "yarn", "pnpm", "bun"} and rest[:1] in (["run"], ["run-script"]):
        rest = rest[1:]
    if not rest or not _RECIPE.fullmatch(rest[0]) or (rest[0] == "ci" and program not in {"make", "just", "task"}):
        return None
    shown = f"{program} run {rest[0]}" if program == "npm" and rest[0] != "test" else f"{program} {rest[0]}"
    return Check(shown, Kind.TEST if "test" in rest[0] else Kind.LINT)


def checks_of(places: Sequence[Place]) -> Iterator[tuple[Place, Command, Check]]:
    """Yield the checks among the commands of these steps."""
    for place in places:
        for command in place.script.commands:
            if (check := check_of(command)) is not None:
                yield place, command, check


_CHECK_ACTIONS = re.compile(
    r"(?:actions-rs/(?:cargo|clippy-check|audit-check)|rustsec/audit-check|embarkstudios/cargo-deny-action|crate-ci/typos"
    r"|obi1kenobi/cargo-semver-checks-action|actions/dependency-review-action|pre-commit/action|golangci/golangci-lint-action"
    r"|giraffate/clippy-action|github/codeql-action/analyze|codspeedhq/action|super-linter/super-linter"
    r"|taiki-e/cache-cargo-install-action)"
)


def is_check_step(place: Place) -> bool:
    """Tell whether the step checks something: by a command, or by an action that is known to."""
    return any(True for _ in checks_of([place])) or _CHECK_ACTIONS.match(place.step.action) is not None


_PUBLISHING_ACTIONS = {
    "pypa/gh-action-pypi-publish": "publishes to PyPI",
    "softprops/action-gh-release": "makes a GitHub release",
    "ncipollo/release-action": "makes a GitHub release",
    "actions/create-release": "makes a GitHub release",
    "svenstaro/upload-release-action": "uploads to a GitHub release",
    "js-devtools/npm-publish": "publishes to npm",
    "cloudflare/wrangler-action": "deploys by wrangler",
    "superfly/flyctl-actions": "deploys to Fly.io",
    "katyo/publish-crates": "publishes to crates.io",
    "amazon-ecs-deploy-task-definition": "deploys to ECS",
}


def publishes(place: Place) -> tuple[str, int]:
    """Return what the step publishes or deploys, in words, and the line; empty where nothing is known of it."""
    step = place.step
    for action, said in _PUBLISHING_ACTIONS.items():
        if step.action == action or step.action.endswith(f"/{action}"):
            return f"{said} (`{step.uses.partition('@')[0]}`)", step.line
    if step.action == "docker/build-push-action" and (
        step.input("push") == "true" or "push=true" in step.input("outputs")
    ):
        return "pushes an image (`docker/build-push-action`)", step.line
    for command in place.script.commands:
        if said := _publishing(command):
            return f"{said}", command.line
    return "", 0


def _publishing(command: Command) -> str:
    words = bare_words(command.words)
    cargo = cargo_words(command.words)
    if command.has("--dry-run", "-n", "--help", "--version"):
        return ""
    if cargo[:1] == ("publish",) or cargo[:2] == ("release", "publish"):
        return "publishes to crates.io (`cargo publish`)"
    for first, said in {
        ("npm", "publish"): "publishes to npm (`npm publish`)",
        ("pnpm", "publish"): "publishes to npm (`pnpm publish`)",
        ("yarn", "publish"): "publishes to npm (`yarn publish`)",
        ("twine", "upload"): "publishes to a package index (`twine upload`)",
        ("uv", "publish"): "publishes to a package index (`uv publish`)",
        ("poetry", "publish"): "publishes to a package index (`poetry publish`)",
        ("maturin", "publish"): "publishes to a package index (`maturin publish`)",
        ("docker", "push"): "pushes an image (`docker push`)",
        ("flyctl", "deploy"): "deploys to Fly.io (`flyctl deploy`)",
        ("fly", "deploy"): "deploys to Fly.io (`fly deploy`)",
        ("kubectl", "apply"): "deploys by `kubectl apply`",
        ("helm", "upgrade"): "deploys by `helm upgrade`",
    }.items():
        if words[:2] == first:
            return said
    if words[:3] == ("gh", "release", "create") and not command.has("--draft", "-d"):
        return "makes a GitHub release (`gh release create`)"
    return ""


def ancestors(file: WorkflowFile, job: WorkflowJob) -> tuple[WorkflowJob, ...]:
    """Return the jobs that it needs, also those behind them, in the order of the file."""
    by_key = {one.key.casefold(): one for one in file.jobs}
    found: set[str] = set()
    left = [key.casefold() for key in job.needs]
    while left:
        key = left.pop()
        if key in by_key and key not in found:
            found.add(key)
            left += [one.casefold() for one in by_key[key].needs]
    return tuple(one for one in file.jobs if one.key.casefold() in found)


def steps_text(steps: Sequence[WorkflowStep]) -> str:
    """Return all that these steps say: conditions, scripts, variables and inputs."""
    parts = [text for step in steps for text in (step.condition, step.run)]
    parts += [value for step in steps for _, value in (*step.env, *step.inputs)]
    return "\n".join(parts)


def is_local_call(project: Project, job: WorkflowJob) -> WorkflowFile | None:
    """Return the workflow of this repository that the job calls."""
    path = job.uses.removeprefix("./")
    return next((file for file in project.workflows if job.uses.startswith("./") and file.path == path), None)
