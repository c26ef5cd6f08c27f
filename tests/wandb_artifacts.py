"""What the W&B server of `wandb_stub.py` holds of artifacts, and how it answers about them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class StubArtifact:
    """One version of an artifact."""

    id: str
    collection: str
    type: str
    run: str
    project: str
    digest: str
    description: str | None
    metadata: str
    """JSON."""
    version: int
    aliases: set[str]
    committed: bool = False
    manifest: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Artifacts:
    """All of a server."""

    url: str
    entity: str
    versions: dict[str, StubArtifact] = field(default_factory=dict)
    """By id."""

    def of(self, run_id: str) -> list[StubArtifact]:
        """What a run has logged and completed."""
        return [each for each in self.versions.values() if each.run == run_id and each.committed]

    def models(self, run_id: str) -> list[StubArtifact]:
        return [each for each in self.of(run_id) if each.type == "model"]

    def called(self, name: str) -> StubArtifact | None:
        """`collection:alias`, or `collection:v0`."""
        collection, _, alias = name.partition(":")
        for each in self.versions.values():
            if each.collection == collection and each.committed and alias in (*each.aliases, f"v{each.version}"):
                return each
        return None

    def put(self, place: str, content: bytes) -> None:
        """Take a file that is sent to `<id>/manifest` or `<id>/files/<name>`."""
        artifact_id, _, name = place.partition("/")
        if name == "manifest":
            self.versions[artifact_id].manifest = content
        else:
            self.versions[artifact_id].files[name.removeprefix("files/")] = content

    def get(self, place: str) -> bytes | None:
        artifact_id, _, name = place.partition("/")
        artifact = self.versions.get(artifact_id)
        if artifact is None:
            return None
        return artifact.manifest if name == "manifest" else artifact.files.get(name.removeprefix("files/"))

    def place(self, artifact_id: str, name: str) -> str:
        return f"{self.url}/artifacts/{artifact_id}/{name}"

    def project(self, name: str) -> Json:
        return {"id": "1", "internalId": "1", "name": name, "entity": {"id": "1", "name": self.entity}}

    def node(self, each: StubArtifact) -> Json:
        """The version as GraphQL gives it."""
        home = {"__typename": "ArtifactSequence", "name": each.collection, "project": self.project(each.project)}
        aliases = [
            {"__typename": "ArtifactAlias", "id": f"{each.id}-{alias}", "alias": alias, "artifactCollection": home}
            for alias in sorted(each.aliases)
        ]
        now = "2026-01-01T00:00:00Z"
        return {
            "__typename": "Artifact", "id": each.id, "artifactSequence": home, "versionIndex": each.version,
            "artifactType": {"name": each.type}, "description": each.description, "metadata": each.metadata,
            "ttlDurationSeconds": -2, "ttlIsInherited": True, "tags": [], "historyStep": None, "state": "COMMITTED",
            "size": sum(map(len, each.files.values())), "digest": each.digest, "digestAlgorithm": "MANIFEST_MD5",
            "commitHash": each.digest[:20], "fileCount": len(each.files), "createdAt": now, "updatedAt": now,
            "aliases": aliases,
        }  # fmt: skip


def _type(all_: Artifacts, given: Json) -> Json:
    found = all_.called(given["name"])
    return {"project": {"artifact": found and {"artifactType": {"name": found.type}}}}


def _create(all_: Artifacts, given: Json) -> Json:
    """A new version, not yet completed; or the one of equal content that there is."""
    asked = given["input"]
    collection = asked["artifactCollectionName"]
    same = [each for each in all_.versions.values() if each.collection == collection and each.committed]
    aliases = {each["alias"] for each in asked.get("aliases") or []}
    for each in same:
        each.aliases -= aliases
    known = next((each for each in same if each.digest == asked["digest"]), None)
    if known:
        known.aliases |= aliases
    made = known or StubArtifact(
        f"QXJ0{len(all_.versions)}", collection, asked["artifactTypeName"], asked["runName"], asked["projectName"],
        asked["digest"], asked.get("description"), asked.get("metadata") or "{}", len(same), aliases,
    )  # fmt: skip
    all_.versions[made.id] = made
    latest = {"id": same[-1].id} if same else None
    state = "COMMITTED" if known else "PENDING"
    return {
        "createArtifact": {"artifact": {"id": made.id, "state": state, "artifactSequence": {"latestArtifact": latest}}}
    }


def _manifest(operation: str, all_: Artifacts, artifact_id: str) -> Json:
    place = all_.place(artifact_id, "manifest")
    file = {"id": f"manifest of {artifact_id}", "uploadUrl": place, "uploadHeaders": []}
    return {operation: {"artifactManifest": {"id": artifact_id, "file": file}}}


def _create_files(all_: Artifacts, given: Json) -> Json:
    nodes = [
        {
            "storagePath": f"{each['artifactID']}/files/{each['name']}",
            "uploadUrl": all_.place(each["artifactID"], f"files/{each['name']}"),
            "uploadHeaders": [],
            "uploadMultipartUrls": None,
            "artifact": {"id": each["artifactID"]},
        }
        for each in given["input"]["artifactFiles"]
    ]
    return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}


def _commit(all_: Artifacts, given: Json) -> Json:
    made = all_.versions[given["artifactID"]]
    made.committed = True
    return {"commitArtifact": {"artifact": {"id": made.id, "digest": made.digest}}}


def _by_name(all_: Artifacts, given: Json) -> Json:
    found = all_.called(given["name"])
    if found is None:
        return {"project": {"artifactCollectionMembership": None}}
    node = all_.node(found)
    return {"project": {"artifactCollectionMembership": {
        "__typename": "ArtifactCollectionMembership", "id": f"membership {found.id}", "versionIndex": found.version,
        "createdAt": node["createdAt"], "aliases": node["aliases"], "artifactCollection": node["artifactSequence"],
        "artifact": node,
    }}}  # fmt: skip


def _current_manifest(all_: Artifacts, artifact_id: str) -> Json:
    return {"artifact": {"currentManifest": {"file": {"directUrl": all_.place(artifact_id, "manifest")}}}}


def _files(all_: Artifacts, found: StubArtifact) -> Json:
    kind = {"__typename": "File"}
    nodes = [kind | {"name": name, "directUrl": all_.place(found.id, f"files/{name}")} for name in found.files]
    page = {"__typename": "PageInfo", "hasNextPage": False, "endCursor": None}
    return {"pageInfo": page, "edges": [{"node": node} for node in nodes]}


def _files_by_entry(all_: Artifacts, given: Json) -> Json:
    return {"artifact": {"filesByManifestEntries": _files(all_, all_.versions[given["id"]])}}


def _files_by_name(all_: Artifacts, given: Json) -> Json:
    found = all_.called(f"{given['collection']}:{given['alias']}")
    home = {"__typename": "ArtifactSequence", "artifactMembership": found and {"files": _files(all_, found)}}
    return {"project": {"artifactCollection": home}}


def _of_run(all_: Artifacts, given: Json) -> Json:
    edges = [{"node": all_.node(each), "cursor": each.id} for each in all_.of(given["run"])]
    page = {"__typename": "PageInfo", "hasNextPage": False, "endCursor": None}
    found = {"totalCount": len(edges), "pageInfo": page, "edges": edges}
    return {"project": {"run": {"artifacts": found}}}


OPERATIONS: dict[str, Callable[[Artifacts, Json], Json]] = {
    "ArtifactType": _type,
    "CreateArtifact": _create,
    "CreateArtifactManifest": lambda all_, given: _manifest("createArtifactManifest", all_, given["artifactID"]),
    "UpdateArtifactManifest": lambda all_, given: _manifest(
        "updateArtifactManifest", all_, given["artifactManifestID"]
    ),
    "CreateArtifactFiles": _create_files,
    "CommitArtifact": _commit,
    "ArtifactMembershipByName": _by_name,
    "ArtifactByID": lambda all_, given: {"artifact": all_.node(all_.versions[given["id"]])},
    "FetchArtifactManifest": lambda all_, given: _current_manifest(all_, given["id"]),
    "ArtifactManifest": lambda all_, given: _current_manifest(all_, given["artifact_id"]),
    "ArtifactFileURLsByManifestEntries": _files_by_entry,
    "GetArtifactMembershipFileUrls": _files_by_name,
    "RunOutputArtifacts": _of_run,
}
