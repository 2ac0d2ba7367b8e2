"""A resource provider: the engine's calls, dispatched to one object per resource type."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import empty_pb2

from .serve import EngineLog, engine_address, serve
from .wire import Properties, decode, differences, encode, plain, property_of

from pulumi.runtime.proto import (  # isort: skip  # after serve, which makes them importable
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
)


class OperationError(Exception):
    """A failed operation; its text is shown to the user as it is."""


class Call:
    """What an operation is told besides its properties: the resource, and how to log and to be cancelled."""

    def __init__(self, urn: str, log: EngineLog, cancelled: threading.Event) -> None:
        self.urn = urn
        self.name = urn.rsplit("::", 1)[-1]
        self.cancelled = cancelled
        self._log = log

    def log(self, severity: str, message: str) -> None:
        """A lasting message: "INFO", "WARNING" or "ERROR"."""
        self._log(severity, message, self.urn)

    def status(self, message: str) -> None:
        """A passing line in the resource's status column."""
        self._log("INFO", message, self.urn, ephemeral=True)


class Resource:
    """One resource type. The defaults are those of a resource that keeps its inputs and does nothing."""

    def __init__(self, required: str, optional: str) -> None:
        """The names of the inputs, separated by spaces."""
        self._required = required.split()
        self._inputs = {*self._required, *optional.split()}

    def check(self, news: Properties) -> tuple[Properties, list[tuple[str, str]]]:
        """The inputs with defaults and secret marks, and failures as (property, reason)."""
        failures = [(key, f"missing required property '{key}'") for key in self._required if key not in news]
        failures += [(key, f"unknown property '{key}'") for key in sorted(news.keys() - self._inputs)]
        return news, failures

    def replaces(self, path: str) -> bool:
        """Whether a difference at this property path needs a replacement."""
        return False

    def preview(self, news: Properties, old: Properties | None) -> Properties:
        """The state to expect, unknowns included, from a create (no `old`) or an update."""
        return news

    def create(self, news: Properties, call: Call) -> tuple[str, Properties]:
        """Do it; returns the id and the state."""
        return unique_id(call.name), news

    def update(self, old: Properties, news: Properties, call: Call) -> Properties:
        """Change it; returns the state."""
        return news

    def delete(self, old: Properties, call: Call) -> None:
        """Undo it, from the state alone."""


def unique_id(prefix: str) -> str:
    """The prefix and eight random hexadecimal digits."""
    return f"{prefix}{secrets.token_hex(4)}"


Function = Callable[[Properties, Call], Properties]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The gRPC face of a set of resource types. Calls that are not here are refused as not implemented."""

    detailed_differences = True

    def __init__(
        self, version: str, resources: dict[str, Resource], functions: dict[str, Function] | None = None
    ) -> None:
        self._version = version
        self._resources = resources
        self._functions = functions or {}
        self._log = EngineLog(engine_address())
        self._cancelled = threading.Event()

    def run(self) -> None:
        """Serve as a plugin process; does not return."""
        serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, server))

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version the plugin stands in for."""
        return plugin_pb2.PluginInfo(version=self._version)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """The provider has no configuration to check."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def Configure(self, request: Any, context: Any) -> Any:
        """Tell the engine which kinds of values to send, and that previews are answered."""
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: Any) -> Any:
        """Validate and complete the inputs."""
        inputs, failures = self._resource(request, context).check(decode(request.news))
        response = provider_pb2.CheckResponse(
            failures=[provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures]
        )
        encode(inputs, response.inputs)
        return response

    def Diff(self, request: Any, context: Any) -> Any:
        """Compare the old inputs with the new: any difference is an update, some keys are a replacement."""
        resource = self._resource(request, context)
        found = differences(decode(request.old_inputs), decode(request.news))
        response = provider_pb2.DiffResponse(hasDetailedDiff=self.detailed_differences)
        response.changes = response.DIFF_SOME if found else response.DIFF_NONE
        if not self.detailed_differences:
            response.diffs.extend(sorted({property_of(path) for path in found}))
            response.replaces.extend(name for name in response.diffs if resource.replaces(name))
            return response
        for path, kind in found.items():
            replaces = resource.replaces(path)
            name = f"{kind}_REPLACE" if replaces else kind
            response.detailedDiff[path].kind = provider_pb2.PropertyDiff.Kind.Value(name)
            response.diffs.append(path)
            if replaces:
                response.replaces.append(path)
        return response

    def Create(self, request: Any, context: Any) -> Any:
        """Create, or say what a creation would give."""
        resource, news = self._resource(request, context), decode(request.properties)
        response = provider_pb2.CreateResponse()
        if request.preview:
            encode(resource.preview(news, None), response.properties)
            return response
        try:
            response.id, state = resource.create(news, self._call(request.urn))
        except OperationError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        encode(state, response.properties)
        return response

    def Update(self, request: Any, context: Any) -> Any:
        """Update, or say what an update would give."""
        resource, old, news = self._resource(request, context), decode(request.olds), decode(request.news)
        response = provider_pb2.UpdateResponse()
        if request.preview:
            encode(resource.preview(news, old), response.properties)
            return response
        try:
            encode(resource.update(old, news, self._call(request.urn)), response.properties)
        except OperationError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return response

    def Delete(self, request: Any, context: Any) -> Any:
        """Delete from what the state holds."""
        try:
            self._resource(request, context).delete(decode(request.properties), self._call(request.urn))
        except OperationError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        """Call a function; it runs in previews too."""
        response = provider_pb2.InvokeResponse()
        if request.tok not in self._functions:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown function '{request.tok}'")
        try:
            result = self._functions[request.tok](plain(decode(request.args)), self._call(""))
        except OperationError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        encode(result, getattr(response, "return"))
        return response

    def Read(self, request: Any, context: Any) -> Any:
        """A refresh returns the state as it is: nothing contacts the server."""
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Cancel(self, request: Any, context: Any) -> Any:
        """Stop waiting and dialling; a command that runs on a server is waited for."""
        self._cancelled.set()
        return empty_pb2.Empty()

    def _resource(self, request: Any, context: Any) -> Resource:
        token = request.urn.split("::")[2].rsplit("$", 1)[-1]
        if token not in self._resources:
            context.abort(grpc.StatusCode.NOT_FOUND, f"unknown resource type '{token}'")
        return self._resources[token]

    def _call(self, urn: str) -> Call:
        return Call(urn, self._log, self._cancelled)
