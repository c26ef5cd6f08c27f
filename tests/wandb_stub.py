"""A W&B server on loopback, for tests: the real `wandb` client writes to it and reads from it.

    with WandbStub() as stub:                          # or the fixture `wandb_stub`, which sets the variables too
        os.environ.update(stub.environment)            # WANDB_BASE_URL, WANDB_API_KEY, WANDB_MODE=online
        ...                                            # wandb.init(...), wandb.Api()
        stub.runs["a-run"].history                     # what was posted
        stub.fault = lambda request: 500 if request.operation == "UpsertBucket" else None

GraphQL is answered by the name of the operation, with every field that the client of the pinned version may ask for.
"""

import base64
import hashlib
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

from wandb_artifacts import OPERATIONS as OF_ARTIFACTS
from wandb_artifacts import Artifacts

KEY = "local-" + 40 * "0"
"""An API key as W&B's own servers give them; nobody's."""
ENTITY = "lab"

Json = dict[str, Any]


@dataclass
class StubRun:
    """What the server holds of one run."""

    id: str
    project: str
    entity: str = ENTITY
    number: int = 0
    """Counts the runs in order of creation."""
    fields: Json = field(default_factory=dict)
    """As upserted last: displayName, groupName, jobType, tags, notes, host, ..."""
    config: Json = field(default_factory=dict)
    """Plain values, without W&B's own entry."""
    history: list[Json] = field(default_factory=list)
    summary: Json = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    """System metrics."""
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None
    """None until the run ended."""
    beats: int = 0
    """Posts to its stream."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """Each streamed file, line by line, as posted."""

    @property
    def state(self) -> str:
        return "running" if self.exit_code is None else "failed" if self.exit_code else "finished"

    def post(self, body: Json) -> None:
        """Take a piece of the stream: lines overwrite those from their offset on."""
        self.beats += 1
        for name, chunk in (body.get("files") or {}).items():
            lines = self.lines.setdefault(name, [])
            lines[chunk["offset"] :] = chunk["content"]
        self.history = _parsed(self.lines.get("wandb-history.jsonl"))
        self.events = _parsed(self.lines.get("wandb-events.jsonl"))
        if summary := _parsed(self.lines.get("wandb-summary.json")):
            self.summary = summary[-1]
        self.exit_code = body.get("exitcode", 0) if body.get("complete") else None

    def upsert(self, given: Json) -> None:
        if config := given.pop("config", None):
            self.config = {key: entry.get("value") for key, entry in json.loads(config).items() if key != "_wandb"}
        if summary := given.pop("summaryMetrics", None):
            self.summary = json.loads(summary)
        self.fields |= {key: value for key, value in given.items() if value is not None}

    def node(self) -> Json:
        """The run as GraphQL gives it."""
        return {
            "id": base64.b64encode(f"Run:{self.id}".encode()).decode(),
            "projectId": 1,
            "name": self.id,
            "displayName": self.fields.get("displayName", self.id),
            "description": None,
            "notes": self.fields.get("notes"),
            "tags": self.fields.get("tags") or [],
            "group": self.fields.get("groupName"),
            "jobType": self.fields.get("jobType"),
            "sweepName": None,
            "commit": self.fields.get("commit"),
            "host": self.fields.get("host"),
            "readOnly": False,
            "state": self.state,
            "config": json.dumps({key: {"value": value} for key, value in self.config.items()}),
            "summaryMetrics": json.dumps(self.summary),
            "systemMetrics": "{}",
            "createdAt": f"2026-01-01T00:{self.number // 60:02}:{self.number % 60:02}Z",
            "heartbeatAt": f"2026-01-02T00:{self.beats // 60 % 60:02}:{self.beats % 60:02}Z",
            "historyLineCount": len(self.history),
            "eventsLineCount": len(self.events),
            "logLineCount": 0,
            "historyTail": json.dumps(self.lines.get("wandb-history.jsonl", [])[-1:]),
            "eventsTail": json.dumps(self.lines.get("wandb-events.jsonl", [])[-1:]),
            "historyKeys": None,
            "wandbConfig": json.dumps({"t": {}}),  # which tells the client that it goes on with a run
            "user": {"name": "Tester", "username": "tester"},
            "project": {"id": "1", "name": self.project, "entity": {"id": "1", "name": self.entity}},
            "fileCount": len(self.files),
        }


@dataclass(frozen=True)
class Request:
    """What came, for `WandbStub.fault` and `WandbStub.log`."""

    method: str
    path: str
    operation: str = ""
    """Name of the GraphQL query or mutation."""
    variables: Json = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client hangs up when it has what it wants
            super().handle_error(request, client_address)


class WandbStub:
    """A context manager: the server runs inside the block. What it holds stays readable after it."""

    def __init__(self) -> None:
        self.runs: dict[str, StubRun] = {}
        self.views: dict[str, Json] = {}
        """Saved workspaces and reports by id."""
        self.fault: Callable[[Request], int | None] | None = None
        """Called with every request: an HTTP status to answer instead, or None; it may sleep, to hang."""
        self.log: list[Request] = []
        self.unknown: list[Request] = []
        """GraphQL operations that nothing here answers."""
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.artifacts = Artifacts(self.url, ENTITY)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which the client talks to this server alone."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online", "WANDB_ENTITY": ENTITY}

    def add(self, run_id: str, project: str = "wbc-study", **fields: Any) -> StubRun:
        """A run that is there already."""
        run = StubRun(run_id, project, number=len(self.runs), **fields)
        return self.runs.setdefault(run_id, run)

    def answer(self, operation: str, variables: Json) -> Json | None:
        """The `data` of a GraphQL answer; None where the operation is not known."""
        if of_artifacts := OF_ARTIFACTS.get(operation):
            return of_artifacts(self.artifacts, variables)
        handler = OPERATIONS.get(operation)
        return handler(self, variables) if handler else None


def _viewer(stub: WandbStub, _: Json) -> Json:
    user = {"id": "VXNlcjox", "entity": ENTITY, "username": "tester", "name": "Tester", "email": "tester@localhost"}
    teams = {"edges": [{"node": {"name": ENTITY}}]}
    more = {"flags": "{}", "admin": False, "deletedAt": None, "apiKeys": {"edges": []}, "teams": teams}
    return {"viewer": user | more, "serverInfo": _server_info(stub, {})["serverInfo"]}


def _server_info(_stub: WandbStub, _: Json) -> Json:
    return {"serverInfo": {"cliVersionInfo": {"max_cli_version": "99.0.0"}, "features": []}}


def _upsert_bucket(stub: WandbStub, given: Json) -> Json:
    run_id = given["name"]
    inserted = run_id not in stub.runs
    run = stub.add(run_id, given.get("project") or "uncategorized")
    run.entity = given.get("entity") or run.entity
    run.upsert({key: value for key, value in given.items() if key not in ("id", "name", "project", "entity")})
    return {"upsertBucket": {"bucket": run.node(), "inserted": inserted}}


def _resume_status(stub: WandbStub, given: Json) -> Json:
    run = stub.runs.get(given["name"])
    project = {"id": "1", "name": given.get("project"), "entity": {"id": "1", "name": ENTITY}}
    return {"model": project | {"bucket": run and run.node()}}


def _create_run_files(stub: WandbStub, given: Json) -> Json:
    place = f"{stub.url}/storage/{given['run']}"
    files = [{"name": name, "uploadUrl": f"{place}/{name}"} for name in given["files"]]
    return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}


def _run(stub: WandbStub, given: Json) -> Json:
    run = stub.runs.get(given.get("name") or given.get("run") or "")
    return {"project": {"internalId": "1", "run": run and run.node()}}


def _runs(stub: WandbStub, given: Json) -> Json:
    """A page of a project's runs, in order of creation, of those that the filters want."""
    filters = json.loads(given.get("filters") or "{}")
    mine = [run for run in stub.runs.values() if run.project == given["project"] and _wanted(run.node(), filters)]
    start = int(given.get("cursor") or 0)
    end = start + given["perPage"]
    edges = [{"node": run.node(), "cursor": str(i)} for i, run in enumerate(mine[start:end], start=start + 1)]
    page = {"endCursor": str(end), "hasNextPage": end < len(mine)}
    known = any(run.project == given["project"] for run in stub.runs.values())
    project = {"internalId": "1", "runCount": len(mine), "readOnly": False, "runs": {"edges": edges, "pageInfo": page}}
    return {"project": project if known else None}


def _wanted(node: Json, filters: Json) -> bool:
    """Equality and `$in`, of fields of the run; all of them."""
    return all(
        node[key] in wanted["$in"] if isinstance(wanted, dict) else node[key] == wanted
        for key, wanted in filters.items()
    )


def _run_files(stub: WandbStub, given: Json) -> Json:
    run = stub.runs[given["name"]]
    names = [name for name in run.files if not given.get("fileNames") or name in given["fileNames"]]
    nodes = [
        {
            "id": name,
            "name": name,
            "url": f"{stub.url}/storage/{run.id}/{name}",
            "directUrl": f"{stub.url}/storage/{run.id}/{name}",
            "sizeBytes": len(run.files[name]),
            "mimetype": "application/octet-stream",
            "updatedAt": None,
            "md5": base64.b64encode(hashlib.md5(run.files[name]).digest()).decode(),
        }
        for name in names
    ]
    edges = [{"node": node, "cursor": node["name"]} for node in nodes]
    files = {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}
    return {"project": {"internalId": "1", "run": {"fileCount": len(run.files), "files": files}}}


def _upsert_view(stub: WandbStub, given: Json) -> Json:
    """A saved workspace or report: a new one, or that of the id."""
    view_id = given.get("id") or base64.b64encode(f"View:{len(stub.views)}".encode()).decode()
    inserted = view_id not in stub.views
    project = {"id": "1", "name": given["projectName"], "entityName": given["entityName"]}
    now = "2026-01-01T00:00:00Z"
    view = stub.views.setdefault(view_id, {"id": view_id, "project": project, "createdAt": now, "user": None})
    view |= {key: given[key] for key in ("type", "name", "displayName", "description", "spec")} | {"updatedAt": now}
    return {"upsertView": {"view": view, "inserted": inserted}}


def _views(stub: WandbStub, given: Json) -> Json:
    """Of a project: its workspaces (`project-view`) or its reports (`runs`), all or those of one name."""
    kind = given.get("viewType") or "runs"
    found = [view for view in stub.views.values() if view["type"] == kind]
    found = [view for view in found if given.get("viewName") in (None, view["name"])]
    edges = [{"node": view, "cursor": view["id"]} for view in found]
    return {"project": {"allViews": {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}}}}


def _projects(stub: WandbStub, given: Json) -> Json:
    names = sorted({run.project for run in stub.runs.values()})
    more = {"entityName": given["entity"], "createdAt": "2026-01-01T00:00:00Z", "isBenchmark": False, "user": None}
    nodes = [{"id": "1", "name": name} | more for name in names]
    page = {"endCursor": None, "hasNextPage": False}
    return {"models": {"edges": [{"node": node, "cursor": node["name"]} for node in nodes], "pageInfo": page}}


def _history_keys(stub: WandbStub, given: Json) -> Json:
    run = stub.runs.get(given.get("name") or given.get("run") or "")
    last = max((row.get("_step", -1) for row in run.history), default=-1) if run else -1
    return {"project": {"internalId": "1", "run": run and {"historyKeys": {"lastStep": last, "sets": [], "keys": {}}}}}


def _all_history(stub: WandbStub, given: Json) -> Json:
    """Everything is live: nothing was exported to Parquet files."""
    run = stub.runs[given["runName"]]
    return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": run.history}}}}


def _history_page(stub: WandbStub, given: Json) -> Json:
    rows = [row for row in stub.runs[given["run"]].history if given["minStep"] <= row["_step"] < given["maxStep"]]
    return {"project": {"run": {"history": [json.dumps(row) for row in rows[: given["pageSize"]]]}}}


OPERATIONS: dict[str, Callable[[WandbStub, Json], Json]] = {
    "Viewer": _viewer,
    "GetViewer": _viewer,
    "GetDefaultEntity": _viewer,
    "OrganizationCoreWeaveOrganizationID": lambda _, __: {"entity": None},
    "ServerFeaturesQuery": _server_info,
    "UpsertBucket": _upsert_bucket,
    "RunResumeStatus": _resume_status,
    "CreateRunFiles": _create_run_files,
    "MarkRunFilesUploaded": lambda _, __: {"markRunFilesUploaded": {"success": True}},
    "RunState": _run,
    "QueryRunInfo": _run,
    "Run": _run,
    "Runs": _runs,
    "RunFiles": _run_files,
    "RunHistoryKeys": _history_keys,
    "RunParquetHistory": _all_history,
    "HistoryPage": _history_page,
    "UpsertView2": _upsert_view,
    "upsertView": _upsert_view,
    "View": _views,
    "Views": _views,
    "ProjectViews": _views,
    "SpecificReport": lambda stub, given: {"view": stub.views[given["reportId"]]},
    "GetProjects": _projects,
    "ProjectInternalId": lambda _, __: {"project": {"id": "1", "internalId": "1"}},
    "NotifyScriptableRunAlert": lambda _, __: {"notifyScriptableRunAlert": {"success": True}},
}


def _parsed(lines: list[str] | None) -> list[Json]:
    return [json.loads(line) for line in lines or []]


def _handler(stub: WandbStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self._body()
            if self.path.endswith("/graphql"):
                self._graphql(json.loads(content))
            elif self.path.startswith("/sdk/otel/"):  # the client's own telemetry
                self._send({})
            elif self._refused(Request("POST", self.path)):
                return
            else:  # /files/ENTITY/PROJECT/RUN/file_stream
                run_id = self.path.split("/")[-2]
                with stub.lock:
                    stub.runs[run_id].post(json.loads(content))
                self._send({})

        def do_PUT(self) -> None:
            content = self._body()
            if self._refused(Request("PUT", self.path)):
                return
            _, kind, run_id, name = unquote(self.path).split("/", 3)
            with stub.lock:
                if kind == "artifacts":
                    stub.artifacts.put(f"{run_id}/{name}", content)
                else:
                    stub.runs[run_id].files[name] = content
            self._send({})

        def do_GET(self) -> None:
            if self._refused(Request("GET", self.path)):
                return
            _, kind, run_id, name = (unquote(self.path).split("/", 3) + 3 * [""])[:4]
            run = stub.runs.get(run_id)
            content = stub.artifacts.get(f"{run_id}/{name}") if kind == "artifacts" else run and run.files.get(name)
            if content is None:
                self.send_error(404)
                return
            self._send(content)

        def _graphql(self, body: Json) -> None:
            operation, variables = _operation(body["query"]), body.get("variables") or {}
            request = Request("POST", self.path, operation, variables)
            if self._refused(request):
                return
            with stub.lock:
                data = stub.answer(operation, variables)
                if data is None:
                    stub.unknown.append(request)
            self._send({"data": data} if data is not None else {"errors": [{"message": f"no operation {operation}"}]})

        def _refused(self, request: Request) -> bool:
            with stub.lock:
                stub.log.append(request)
            status = stub.fault(request) if stub.fault else None
            if status is not None:
                self._send({"error": "a fault that the test asked for"}, status=status)
            return status is not None

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _send(self, content: Json | bytes, *, status: int = 200) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler


def _operation(query: str) -> str:
    """`Viewer` of `query Viewer($a: Int) { ... }`; the first field of a query without a name."""
    words = query.replace("(", " ").replace("{", " ").replace("#graphql", " ").split()
    return words[1] if words[0] in ("query", "mutation") else words[0]
