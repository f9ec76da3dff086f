"""The Cargo workspace as the text tells it: packages, targets and features, and which of them a command selects.

Sources: the pages Cargo Targets (auto-discovery), Workspaces and Features of the Cargo book. Members are those of
`members` and every package that another depends on by path; what cannot be decided selects everything, so that a rule
that looks for what nothing selects stays silent.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from kotaci.archives.checkout import Tree
from kotaci.audit.cargo import CargoCall
from kotaci.audit.paths import joined
from kotaci.audit.project import Project


@dataclass(frozen=True)
class Target:
    """One target of a package; `kind` is lib, bin, test, bench or example."""

    kind: str
    name: str
    path: str
    required_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Package:
    """One package: where its manifest lies, its targets, and what each feature turns on (optional dependencies too)."""

    name: str
    folder: str
    targets: tuple[Target, ...]
    features: Mapping[str, tuple[str, ...]]

    @property
    def manifest(self) -> str:
        """Return the path of its manifest."""
        return joined(self.folder, "Cargo.toml")

    def of_kind(self, kind: str) -> tuple[Target, ...]:
        """Return its targets of that kind."""
        return tuple(target for target in self.targets if target.kind == kind)

    def enabled(self, call: CargoCall) -> frozenset[str]:
        """Return the features that the call turns on in this package, also through others."""
        if call.has_all_features:
            return frozenset(self.features)
        left = ["default"] if call.has_default_features else []
        left += [name.removeprefix(f"{self.name}/") for name in call.features]
        found: set[str] = set()
        while left:
            name = left.pop()
            if name in found:
                continue
            found.add(name)
            left += [
                one.partition("/")[0].removesuffix("?").removeprefix("dep:") for one in self.features.get(name, ())
            ]
        return frozenset(found)


@dataclass(frozen=True)
class Workspace:
    """Packages that share a lockfile. `default` are those that a command at the root means."""

    folder: str
    packages: tuple[Package, ...]
    default: tuple[Package, ...]

    def named(self, pattern: str) -> tuple[Package, ...]:
        """Return the members that `-p` with this word means; none where it names something else."""
        name = pattern.rpartition("#")[2].partition("@")[0]
        return tuple(one for one in self.packages if fnmatchcase(one.name, name))


def workspaces(project: Project) -> tuple[Workspace, ...]:
    """Return the workspaces of the repository; a package outside of any is one alone."""
    found = []
    taken: set[str] = set()
    roots = [path for path, data in project.manifests.items() if isinstance(data.get("workspace"), dict)]
    for path in roots:
        folder = path.rpartition("/")[0]
        members = _member_folders(project, folder, project.manifests[path])
        packages = tuple(filter(None, (_package(project, one) for one in members)))
        own = [one for one in packages if one.folder == folder]
        listed = _texts(project.manifests[path]["workspace"].get("default-members"))
        default = [one for one in packages if any(_fits(folder, pattern, one.folder) for pattern in listed)]
        found.append(Workspace(folder, packages, tuple(default or own or packages)))
        taken |= {one.manifest for one in packages} | {path}
    for path in project.manifests:
        package = _package(project, path.rpartition("/")[0]) if path not in taken else None
        if package is not None:
            found.append(Workspace(package.folder, (package,), (package,)))
    return tuple(found)


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _fits(folder: str, pattern: str, member: str) -> bool:
    path = joined(folder, pattern)
    if not re.search(r"[*?[]", path) or path.count("/") != member.count("/"):
        return member == path
    return fnmatchcase(member, path)


def _member_folders(project: Project, folder: str, data: Mapping[str, Any]) -> list[str]:
    """Return the folders of the members, the root's own among them."""
    patterns, excluded = _texts(data["workspace"].get("members")), _texts(data["workspace"].get("exclude"))
    folders = [path.rpartition("/")[0] for path in project.manifests]
    found = [one for one in folders if any(_fits(folder, pattern, one) for pattern in patterns)]
    found = [one for one in found if not any(_fits(folder, pattern, one) for pattern in excluded)]
    if "package" in data:
        found.append(folder)
    left = list(found)
    while left:
        here = left.pop()
        for path in _path_dependencies(project.manifests.get(joined(here, "Cargo.toml"), {}), here):
            is_inside = not folder or path.startswith(f"{folder}/")
            if (
                is_inside
                and path in folders
                and path not in found
                and not any(_fits(folder, one, path) for one in excluded)
            ):
                found.append(path)
                left.append(path)
    return sorted(set(found))


def dependencies_of(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every dependency of a manifest: name, and what is said of it."""
    tables = [data, *(one for one in (data.get("target") or {}).values() if isinstance(one, dict))]
    for table in tables:
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            held = table.get(kind)
            yield from held.items() if isinstance(held, dict) else ()


def _path_dependencies(data: Mapping[str, Any], folder: str) -> Iterator[str]:
    workspace = data.get("workspace")
    shared = workspace.get("dependencies") if isinstance(workspace, dict) else None
    listed = [*dependencies_of(data), *(shared.items() if isinstance(shared, dict) else ())]
    for _, said in listed:
        if isinstance(said, dict) and isinstance(said.get("path"), str):
            yield joined(folder, said["path"])


def _package(project: Project, folder: str) -> Package | None:
    data = project.manifests.get(joined(folder, "Cargo.toml"), {})
    about = data.get("package")
    if not isinstance(about, dict) or not isinstance(about.get("name"), str):
        return None
    written = data.get("features")
    features = {name: tuple(_texts(on)) for name, on in written.items()} if isinstance(written, dict) else {}
    hidden = {one[4:] for on in features.values() for one in on if one.startswith("dep:")}
    for name, said in dependencies_of(data):
        if isinstance(said, dict) and said.get("optional") is True and name not in hidden:
            features.setdefault(name, ())
    features.setdefault("default", ())
    return Package(about["name"], folder, tuple(_targets(project, folder, data, about)), features)


_KINDS = {"test": ("tests", "autotests"), "bench": ("benches", "autobenches"), "example": ("examples", "autoexamples")}


def _targets(project: Project, folder: str, data: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[Target]:
    lib = data.get("lib") if isinstance(data.get("lib"), dict) else {}
    assert isinstance(lib, dict)  # noqa: S101
    path = joined(folder, str(lib.get("path", "src/lib.rs")))
    if lib or path in project.tree.paths:
        yield Target("lib", str(lib.get("name", about["name"].replace("-", "_"))), path)
    yield from _of_kind(project, folder, data, "bin", "src/bin", is_found=about.get("autobins") is not False)
    main = joined(folder, "src/main.rs")
    declared = [one for one in _tables(data, "bin") if joined(folder, str(one.get("path", ""))) == main]
    if main in project.tree.paths and not declared and about.get("autobins") is not False:
        yield Target("bin", about["name"], main)
    for kind, (place, switch) in _KINDS.items():
        yield from _of_kind(project, folder, data, kind, place, is_found=about.get(switch) is not False)


def _tables(data: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    written = data.get(kind)
    return [one for one in written if isinstance(one, dict)] if isinstance(written, list) else []


def _of_kind(
    project: Project, folder: str, data: Mapping[str, Any], kind: str, place: str, *, is_found: bool
) -> Iterator[Target]:
    base = joined(folder, place)
    found = _discovered(project, base)
    used = set()
    for one in _tables(data, kind):
        name = str(one.get("name", ""))
        path = joined(folder, one["path"]) if isinstance(one.get("path"), str) else found.get(name, f"{base}/{name}.rs")
        used |= {name, path}
        if kind == "test" and one.get("test") is False:
            continue
        yield Target(kind, name, path, tuple(_texts(one.get("required-features"))))
    for name, path in found.items() if is_found else ():
        if name not in used and path not in used:
            yield Target(kind, name, path)


def _discovered(project: Project, base: str) -> dict[str, str]:
    """Return the targets that cargo finds by itself: `base/NAME.rs` and `base/NAME/main.rs`."""
    return dict(_by_folder(project.tree).get(base, ()))


@lru_cache(maxsize=2)
def _by_folder(tree: Tree) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return, for each folder, the names and paths of what may be a target in it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(tree.paths):
        folder, _, name = path.rpartition("/")
        if name == "main.rs":
            around, _, own = folder.rpartition("/")
            found.setdefault(around, []).append((own, path))
        if name.endswith(".rs"):
            found.setdefault(folder, []).append((name.removesuffix(".rs"), path))
    return {folder: tuple(held) for folder, held in found.items()}


def folder_of(call: CargoCall) -> str | None:
    """Return the folder that the call runs in; None where only a run can tell."""
    place = call.place
    folder = place.folder
    if "$" in folder or call.has("-C", "--manifest-dir"):
        return None
    before = [one for one in place.script.commands if one.line <= call.command.line and one is not call.command]
    if any(one.name in {"cd", "pushd", "popd"} for one in before):
        return None
    if folder.startswith("/"):
        return None
    if not call.manifest:
        return joined("", folder) if folder else ""
    if "$" in call.manifest or call.manifest.startswith("/"):
        return None
    return posixpath.dirname(joined(folder, call.manifest))


def selected_packages(
    all_workspaces: tuple[Workspace, ...], call: CargoCall
) -> tuple[Workspace, tuple[Package, ...]] | None:
    """Return the workspace of the call, and the members it selects; None where that cannot be decided."""
    folder = folder_of(call)
    if folder is None or any("$" in word for word in (*call.packages, *call.excluded)) or _has_open_options(call):
        return None
    around = [one for one in all_workspaces if not one.folder or f"{folder}/".startswith(f"{one.folder}/")]
    inside = [
        (one, package)
        for one in around
        for package in one.packages
        if not package.folder or f"{folder}/".startswith(f"{package.folder}/")
    ]
    if inside:
        workspace, here = max(inside, key=lambda found: len(found[1].folder))
    elif around:
        workspace, here = max(around, key=lambda one: len(one.folder)), None
    else:
        return None
    if call.packages:
        return workspace, tuple(one for name in call.packages for one in workspace.named(name))
    if call.is_workspace:
        left_out = {one.name for name in call.excluded for one in workspace.named(name)}
        return workspace, tuple(one for one in workspace.packages if one.name not in left_out)
    return workspace, (here,) if here is not None and here.folder != workspace.folder else workspace.default


def _has_open_options(call: CargoCall) -> bool:
    """Tell whether a word that is not known may hold options: one that is no flag's value."""
    return any("$" in word for word in (*call.names, *call.verbs))


def selects(call: CargoCall, target: Target) -> bool:
    """Tell whether the call, of a package it selects, runs the tests of that test target, with or without a filter."""
    if not call.selected or {"--tests", "--all-targets"} & set(call.selected):
        return True
    wanted = [one.removeprefix("--test ") for one in call.selected if one.startswith("--test ")]
    return any("$" in name or fnmatchcase(target.name, name) for name in wanted)
